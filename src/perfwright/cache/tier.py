"""What the cache asks of its second tier, and what the tier tells the cache."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from perfwright.monitoring import Metric


class TierDownError(Exception):
    """The tier did not answer, in time or at all; private, the cache goes on without it."""


class TierRefusedError(Exception):
    """The tier answered that it will not store: it is full. What it had of the key is gone."""


class Lease(Enum):
    """Who may call the factory of a key."""

    NOT_ASKED = "not asked"
    """The value was fresh, or no lease was wanted."""
    OURS = "ours"
    HELD = "held"
    """By another process; a message comes when it is released."""
    IMPOSSIBLE = "impossible"
    """The tier has no room to note one, so everybody may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the tier has of a key."""

    blob: bytes | None
    left_s: float = 0.0
    """What is left of the value's TTL; negative when it is kept beyond it."""
    lease: Lease = Lease.NOT_ASKED
    held_s: float = 0.0
    """How long the other process's lease lasts, if it is not renewed."""


ABSENT = Found(blob=None)


class Listener(Protocol):
    """The cache, as the tier sees it: called from the event loop, and never waits."""

    def keys_changed(self, writes: Mapping[str, bytes]) -> None:
        """Another process wrote or deleted these keys: with which write, b"" if none is known."""

    def tag_dropped(self, tag: str) -> None:
        """Somebody invalidated this tag."""

    def everything_changed(self) -> None:
        """Somebody cleared the tier, or emptied it past the cache."""

    def link_changed(self, *, up: bool) -> None:
        """From now on every change is told, or none may be."""


class Wake(Protocol):
    """Waits until the lease of a key may be free."""

    async def wait(self, timeout_s: float) -> None:
        """Return at the message, when the link is lost, or after `timeout_s`."""


class Tier(Protocol):
    """A store that several processes share.

    Every method but `start`, `aclose` and the plain ones raises `TierDownError` when the tier does
    not answer, within a bounded time.
    """

    @property
    def linked(self) -> bool:
        """Whether every change by another process is being told."""

    @property
    def out_of_reach(self) -> bool:
        """Whether calls are known to fail at present, so that none is made."""

    async def start(self, listener: Listener) -> None:
        """Begin to tell `listener`; returns when the link is up, or could not be had at once."""

    async def aclose(self) -> None:
        """Let go of what `start` took."""

    async def fetch(self, key: str, *, token: bytes, need_s: float) -> Found:
        """Read a value, and unless it has more than `need_s` of its TTL left take its lease.

        An empty `token` asks for no lease.
        """

    async def fetch_many(self, keys: Sequence[str]) -> list[Found]:
        """Read values, in the order of `keys`."""

    async def store(self, key: str, blob: bytes, *, keep_s: float, token: bytes = b"") -> bool:
        """Write a value and release its lease; with a token, only if that lease still holds.

        Raises:
            TierRefusedError: If the tier is full.
        """

    async def store_many(self, blobs: Mapping[str, bytes], *, keep_s: Mapping[str, float]) -> None:
        """Write values.

        Raises:
            TierRefusedError: If the tier is full; some may have been written.
        """

    async def delete(self, key: str) -> bool:
        """Delete a value; says whether there was one."""

    async def renew(self, key: str, *, token: bytes) -> None:
        """Begin the lease anew, if it is still ours."""

    async def release(self, key: str, *, token: bytes) -> None:
        """Give the lease back, if it is still ours."""

    @property
    def lease_s(self) -> float:
        """How long a lease lasts without being renewed."""

    def awaiting(self, key: str) -> AbstractContextManager[Wake]:
        """Listen for the release of a lease from now on."""

    async def tag_versions(
        self, tags: Sequence[str], *, keep_s: float, create: bool
    ) -> list[bytes | None]:
        """Read versions; `create` makes those missing, and keeps all for `keep_s` at least."""

    async def drop_tag(self, tag: str) -> None:
        """Forget the version of a tag, and tell everybody."""

    async def clear(self) -> None:
        """Delete every value of the namespace, and tell everybody."""

    def present(self) -> AsyncIterator[str]:
        """Walk over the keys of all values; those written meanwhile may be missed."""

    def metrics(self) -> Iterable[Metric]:
        """Counters of the tier's own."""
