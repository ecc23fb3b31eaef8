"""Leave for one request."""

from __future__ import annotations

from perfwright.limits import Permit, Reservation
from perfwright.llm.endpoints.sizes import Size


class Ticket:
    """Leave for one request, and what it has taken."""

    __slots__ = ("hurried", "is_lost", "permit", "reservation", "size", "taken_s", "tokens")

    def __init__(self, permit: Permit, *, size: Size, tokens: float, taken_s: float) -> None:
        self.permit, self.size, self.tokens, self.taken_s = permit, size, tokens, taken_s
        self.reservation: Reservation | None = None
        """What it has taken of limits that are shared with other processes."""
        self.hurried = False
        """It has so little time that no answer does not speak against the endpoint."""
        self.is_lost = False
        """It has not ended, but its place is another's."""
