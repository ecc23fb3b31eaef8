"""Decides whether traffic got slower after a change. Pure.

Statements that do not touch what was changed say how the whole server drifts meanwhile, and the
others are judged against that: a server that is busy for another reason takes nothing back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

MIN_CALLS = 20  # of one shape within one slice; fewer say nothing about its mean
MIN_CONTROLS = 3
FACTOR = 1.5  # means of a live server differ by some tens of percent from minute to minute
MIN_SHARE = 0.01  # of the time of all statements: less is not worth a change of the server
SUSTAINED = 2  # slices in a row: caches are cold right after a build


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What one shape of statement did."""

    calls: int
    total_ms: float
    text: str = ""
    touches: bool = True
    """Whether it reads or writes what was changed."""

    @property
    def mean_ms(self) -> float:
        """Milliseconds per call."""
        return self.total_ms / self.calls


Counters = Mapping[str, Traffic]
"""Traffic by shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What traffic says of a change."""

    problem: str | None
    """Why it must be taken back."""
    note: str
    """What was seen, for people."""


def since(later: Counters, earlier: Counters) -> dict[str, Traffic]:
    """The traffic between two readings; shapes whose counters were reset are left out."""
    found = {}
    for shape, now in later.items():
        then = earlier.get(shape)
        calls = now.calls - (then.calls if then else 0)
        total_ms = now.total_ms - (then.total_ms if then else 0.0)
        if calls > 0 and total_ms >= 0.0:
            found[shape] = Traffic(
                calls=calls, total_ms=total_ms, text=now.text, touches=now.touches
            )
    return found


def judge(before: Counters, slices: Sequence[Counters]) -> Judgement:
    """Compare slices of traffic after a change with the traffic before it.

    Args:
        before: All traffic up to the change.
        slices: Traffic after it, of equal spans of time, oldest first.
    """
    guarded = {
        shape for shape, traffic in before.items() if traffic.touches and traffic.calls >= MIN_CALLS
    }
    judged = {shape for each in slices for shape in guarded if _enough(each, shape)}
    if not judged:
        return Judgement(problem=None, note="not enough traffic to judge")
    for shape in sorted(judged):
        if len(slices) >= SUSTAINED and all(
            _is_worse(before, each, shape=shape) for each in slices[-SUSTAINED:]
        ):
            now, then = slices[-1][shape], before[shape]
            problem = (
                f"{_short(now.text)} takes {now.mean_ms:.3g} ms instead of {then.mean_ms:.3g} "
                f"({now.calls} calls)"
            )
            return Judgement(problem=problem, note=problem)
    count = len(judged)
    return Judgement(
        problem=None, note=f"{count} statement{'s' if count > 1 else ''} watched, none got slower"
    )


def _enough(counters: Counters, shape: str) -> bool:
    return shape in counters and counters[shape].calls >= MIN_CALLS


def _is_worse(before: Counters, after: Counters, *, shape: str) -> bool:
    if not _enough(after, shape):
        return False
    expected_ms = before[shape].mean_ms * _drift(before, after)
    lost_ms = (after[shape].mean_ms - expected_ms) * after[shape].calls
    everything_ms = sum(traffic.total_ms for traffic in after.values())
    return after[shape].mean_ms > FACTOR * expected_ms and lost_ms > MIN_SHARE * everything_ms


def _drift(before: Counters, after: Counters) -> float:
    """How much slower everything else got, at least 1."""
    ratios = [
        after[shape].mean_ms / traffic.mean_ms
        for shape, traffic in before.items()
        if not traffic.touches
        and traffic.calls >= MIN_CALLS
        and traffic.total_ms > 0.0
        and _enough(after, shape)
    ]
    return max(1.0, median(ratios)) if len(ratios) >= MIN_CONTROLS else 1.0


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else f"{flat[:57]}..."
