"""Events for plugins, each of which takes only the fields that it cares for."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable
from typing import Any

Listener = Callable[..., None]
_PARAMETERS: dict[Listener, Any] = {}


def call_with_known(listener: Listener, fields: dict[str, Any]) -> None:
    parameters = inspect.signature(listener).parameters
    listener(**{name: fields[name] for name in parameters if name in fields})


class Bus:
    def __init__(self) -> None:
        self.listeners: dict[str, list[Listener]] = defaultdict(list)
        self.published = 0

    def subscribe(self, event: str, listener: Listener) -> None:
        self.listeners[event].append(listener)

    def publish(self, event: str, **fields: Any) -> None:
        self.published += 1
        for listener in self.listeners[event]:
            call_with_known(listener, fields)
