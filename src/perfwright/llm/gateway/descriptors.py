"""File descriptors: each call needs one for its caller, and one for the provider."""

from __future__ import annotations

import resource

_OWN = 100
"""For files, listening sockets, Redis, name look-ups."""
_OF_CALLERS = 0.4
"""The provider's share is larger: a hedged call has two connections."""
_ENOUGH = 2**20
"""Where the system sets no limit."""


def raise_limit() -> int:
    """Allow this process as many as the system lets it have; returns how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else hard
    if soft not in (resource.RLIM_INFINITY, wanted):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    return limit()


def limit() -> int:
    """Return how many this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft


def for_callers(descriptors: int) -> int:
    """Return how many connections of callers leave enough of so many descriptors for the rest."""
    return max(1, int((descriptors - _OWN) * _OF_CALLERS))
