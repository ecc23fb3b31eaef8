"""Notes on what is being done, for whoever asks in the midst of it."""

from __future__ import annotations

from collections import Counter
from contextvars import ContextVar
from types import TracebackType
from typing import Any

FINISHED: Counter[str] = Counter()


class Scope:
    def __init__(self, name: str, **tags: Any) -> None:
        self.name = name
        self.tags = tags
        self.notes: list[str] = []
        self.units = 0
        self.outer: Scope | None = None

    def __enter__(self) -> Scope:
        self.outer = CURRENT.get()
        CURRENT.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.note(f"failed: {error}")
        FINISHED[self.name] += self.units

    def note(self, text: str, units: int = 1) -> None:
        self.notes.append(text)
        self.units += units

    def tag(self, key: str) -> Any:
        scope: Scope | None = self
        while scope is not None:
            if key in scope.tags:
                return scope.tags[key]
            scope = scope.outer
        return None


CURRENT: ContextVar[Scope | None] = ContextVar("scope", default=None)


def current() -> Scope:
    scope = CURRENT.get()
    if scope is None:
        raise LookupError("nothing is being done")
    return scope
