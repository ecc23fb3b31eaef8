"""What a rule asserts about a function, and the rules themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.model import Function, Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """That a function costs more than it must, for a reason."""

    function: Function
    kind: BottleneckKind
    evidence: str
    confidence: float
    """0 to 1: how sure the kind is."""
    samples: frozenset[int] = frozenset()
    """Numbers of the samples whose time would vanish."""
    share: float | None = None
    """Part of the run's cost where samples do not hold it: awaits and memory."""
    lines: tuple[int, ...] = ()
    memory_bytes: int | None = None
    soft: bool = False
    """Gives way to any sure claim about most of the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRule:
    """A pure rule that reads a run and yields claims of one kind.

    `fires_on` and `silent_on` are examples that the shared test suite runs.
    """

    id: str
    """The file name with dashes."""
    kind: BottleneckKind
    title: str
    """Imperative: what to do."""
    why: str
    limits: str
    find: Callable[[Run], Iterator[Claim]]
    fires_on: Profile
    silent_on: Profile
