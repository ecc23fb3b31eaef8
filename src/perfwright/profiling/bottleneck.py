"""One cause of lost time or memory, with the kind of its cause."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from perfwright.profiling.model import Function


class BottleneckKind(StrEnum):
    """What makes a place slow. UNKNOWN where the evidence does not decide."""

    QUADRATIC = "quadratic"
    REPEATED_WORK = "repeated-work"
    DEEPCOPY = "deepcopy"
    LINEAR_SCAN = "linear-scan"
    INTERPRETED_LOOP = "interpreted-loop"
    BLOCKING_IN_ASYNC = "blocking-in-async"
    SEQUENTIAL_AWAIT = "sequential-await"
    LOCK_CONTENTION = "lock-contention"
    LEAK = "leak"
    TEMP_COPIES = "temp-copies"
    REGEX_RECOMPILE = "regex-recompile"
    REGEX_BACKTRACKING = "regex-backtracking"
    JSON_REPARSE = "json-reparse"
    EXCEPTION_HEAVY = "exception-heavy"
    N_PLUS_ONE = "n-plus-one"
    STRING_BUILDING = "string-building"
    LOGGING = "logging"
    REFLECTION = "reflection"
    SMALL_IO = "small-io"
    SORT_IN_LOOP = "sort-in-loop"
    START_UP = "start-up"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bottleneck:
    """A function that costs more than it must, as far as could be seen."""

    function: Function
    score: float
    """Bottleneck Score: percent of the cost of the run that would vanish with it."""
    kind: BottleneckKind
    evidence: str
    """What was seen, with numbers; one sentence for a person."""
    confidence: float
    """0 to 1: how sure the kind is."""
    lines: tuple[int, ...] = ()
    """Where in the function, hottest first."""
    self_s: float = 0.0
    """In the function, with what it called in code that the user cannot change."""
    cumulative_s: float = 0.0
    """With all that it called; without the time in which it was suspended."""
    awaiting_s: float = 0.0
    """Of a coroutine: suspended at its awaits, over all calls; 0 where that was not seen."""
    calls: int | None = None
    """None: not counted."""
    memory_bytes: int | None = None
    """Of a leak, what it held at the end; else what its own lines held when the run held most.
    None: not measured."""
    callers: tuple[Function, ...] = ()
    """Who called it, costliest first."""
