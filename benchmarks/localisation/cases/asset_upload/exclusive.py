"""Methods of which one runs at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any


class Exclusive:
    def __init__(self) -> None:
        self.guard = RLock()


def exclusive(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def method(self: Exclusive, *arguments: Any) -> Any:
        with self.guard:
            return function(self, *arguments)

    return method
