"""Whether a value that is on its way may still be kept when it arrives.

Between asking for a value and having it, somebody may write the key. Whoever fetches or writes a
key holds a ticket for it meanwhile; a write, here or elsewhere, makes the open tickets void, and a
value that arrives on a void ticket is handed to those who asked before the write, and not kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager


class Ticket:
    """Permission to keep what one operation brings, until something newer happens to its key."""

    __slots__ = ("newest", "valid")

    def __init__(self) -> None:
        self.valid = True
        self.newest = b""
        """The write that made the ticket void, if it is known: its own value may still be kept."""

    def admits(self, write_id: bytes) -> bool:
        """Whether the value of this write may be kept."""
        return self.valid or (write_id == self.newest != b"")


class Tickets:
    """The open tickets, by key."""

    def __init__(self) -> None:
        self._open: dict[str, list[Ticket]] = {}

    @contextmanager
    def hold(self, key: str) -> Iterator[Ticket]:
        """Hold a ticket for `key` during one operation."""
        ticket = Ticket()
        self._open.setdefault(key, []).append(ticket)
        try:
            yield ticket
        finally:
            left = self._open[key]
            left.remove(ticket)
            if not left:
                del self._open[key]

    @contextmanager
    def hold_all(self, keys: Collection[str]) -> Iterator[list[Ticket]]:
        """Hold a ticket for each of `keys`, in their order."""
        with ExitStack() as held:
            yield [held.enter_context(self.hold(key)) for key in keys]

    def void(self, key: str, *, besides: Ticket | None = None, newest: bytes = b"") -> bool:
        """Make the tickets of `key` void, except one's own; says whether there were others."""
        others = [ticket for ticket in self._open.get(key, ()) if ticket is not besides]
        for ticket in others:
            ticket.valid, ticket.newest = False, newest
        return bool(others)

    def void_all(self) -> None:
        """Make every open ticket void."""
        for tickets in self._open.values():
            for ticket in tickets:
                ticket.valid, ticket.newest = False, b""
