"""Follows what functions are given and what they answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from reprlib import Repr
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_SHORT = Repr()
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 12
_SHORT.maxother = 120


def shown(value: object) -> str:
    return _SHORT.repr(value)


def watched(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    log = logging.getLogger(f"claims.{name}")

    def around(work: Callable[P, R]) -> Callable[P, R]:
        @wraps(work)
        def inner(*args: P.args, **kwargs: P.kwargs) -> R:
            result = work(*args, **kwargs)
            said = ", ".join(shown(arg) for arg in (*args, *kwargs.values()))
            log.debug("%s(%s) gave %s", work.__name__, said, shown(result))
            return result

        return inner

    return around
