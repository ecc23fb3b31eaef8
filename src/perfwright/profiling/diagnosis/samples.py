"""Stacks as the code that the user can change, and the rest."""

from __future__ import annotations

from dataclasses import dataclass

from perfwright.profiling.model import Function


@dataclass(frozen=True, slots=True)
class Step:
    """One frame of a stack, comprehensions and lambdas taken as lines of their function."""

    function: Function
    line: int
    own: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """One distinct stack that cost time."""

    steps: tuple[Step, ...]
    near: int
    """Index of the innermost step in own code, which the time is charged to."""
    seconds: float
    state: str
    thread: str
    weight: int
    """How many times it was seen."""

    @property
    def foreign(self) -> tuple[Step, ...]:
        """What the charged code called that the user cannot change, outermost first."""
        return self.steps[self.near + 1 :]


def simple(function: Function) -> str:
    """Last part of its qualified name."""
    return function.name.rpartition(".")[2]


def is_file(file: str, end: str) -> bool:
    """Whether a path ends in these parts; of a folder, as `sqlalchemy/`, whether it lies below."""
    place = file.replace("\\", "/")
    return place.endswith(f"/{end}") or place == end or (end.endswith("/") and f"/{end}" in place)
