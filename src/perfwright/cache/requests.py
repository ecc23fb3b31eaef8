"""What is asked of the cache's inner parts, and what they answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from enum import Enum

from perfwright.cache.tier import ABSENT, Found, Tier

Factory = Callable[[], Awaitable[object] | object]


class Source(Enum):
    """Where a value came from."""

    HELD = "held"
    SHARED = "shared"
    FACTORY = "factory"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A value for everybody who waits for it."""

    value: object
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a caller of `get_or_set` asked for."""

    key: str
    factory: Factory
    ttl_s: float
    tags: Collection[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Leave to compute a value.

    Without a token there is no lease behind it: then the value is not written to the second tier,
    where it might overwrite a newer one.
    """

    tier: Tier | None = None
    token: bytes = b""
    found: Found = ABSENT
    """What the second tier had, of use if the factory fails."""


ALONE = Grant()
