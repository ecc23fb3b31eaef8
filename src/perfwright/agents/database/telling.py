"""What a run tells while it works, and what it could not judge."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import Observation
from perfwright.agents.database.balance import FEW_WRITES
from perfwright.agents.database.whatif import Trial, Trials
from perfwright.core import ChangeSpec, Progress

MAX_NOTES = 8


def problems(seen: tuple[Observation, ...]) -> Iterator[str]:
    """Name the statements that could not be analysed or executed, and those that were stopped."""
    bad = [o for o in seen if o.problem is not None]
    for observation in bad[:MAX_NOTES]:
        yield (
            f"{observation.shape.calls} calls {observation.problem}: {observation.shape.text[:100]}"
        )
    if len(bad) > MAX_NOTES:
        yield f"{len(bad) - MAX_NOTES} more statements could not be executed or analysed"
    slow = [o for o in seen if o.cost is not None and o.cost.timed_out]
    for observation in slow[:MAX_NOTES]:
        yield f"stopped after its time limit, its cost is a lower bound: {observation.shape.text}"


def few_writes_note(seen: tuple[Observation, ...]) -> Iterator[str]:
    """Say where there are too few writes to hold changes to a share of their time."""
    calls = sum(o.shape.calls for o in seen if o.shape.write)
    if calls < FEW_WRITES:
        yield (
            f"{calls} writes in the workload: too few to hold changes to a share of their time; "
            "what they cost counts in the total"
        )


class ToldTrials:
    """Trials that tell how far they are."""

    def __init__(self, trials: Trials, *, progress: Progress, expected: int) -> None:
        self._trials, self._progress, self._expected = trials, progress, expected
        self._done = 0

    def total_ms(self) -> float:
        """As the trials say."""
        return self._trials.total_ms()

    def write_ms(self) -> float:
        """As the trials say."""
        return self._trials.write_ms()

    def table_ms(self, table: str) -> float:
        """As the trials say."""
        return self._trials.table_ms(table)

    def try_out(self, change: ChangeSpec) -> Trial | None:
        """Tell, then try."""
        self._done += 1
        self._progress(f"trial {self._done} (of about {self._expected}): {change.summary}")
        return self._trials.try_out(change)

    def accept(self, change: ChangeSpec) -> None:
        """Tell, then accept."""
        self._progress(f"chosen: {change.summary}")
        self._trials.accept(change)

    def withdraw(self, change: ChangeSpec) -> None:
        """As the trials do."""
        self._trials.withdraw(change)
