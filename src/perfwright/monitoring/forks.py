"""Lets objects with locks go on in a forked child.

A fork copies the locks as they are, and none of the threads that would release them. So whoever
has locks makes new ones in the child. What they guard may have been in the midst of a change: it
must be fit for use after each of its steps.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forking(Protocol):
    """What has locks of its own, or threads."""

    def after_fork(self) -> None:
        """Make them anew; called in a child that was forked, before anything else runs."""


_all: WeakSet[Forking] = WeakSet()


def renew_after_fork(one: Forking) -> None:
    """Have `one.after_fork()` called in every forked child, for as long as `one` is in use."""
    _all.add(one)


def _after_fork() -> None:
    for one in list(_all):
        one.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
