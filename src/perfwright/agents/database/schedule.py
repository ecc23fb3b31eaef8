"""Which samples one run of a bench executes, and how much each of them counts."""

from __future__ import annotations

from dataclasses import dataclass

from perfwright.agents.database.artifacts import Observation, Sample
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.room import room_for

RUN_MS = 60.0  # wanted length of one run; a pair of them is then well below the machine's drift
SHORTEST_MS = 10.0
STATEMENT_CAP_S = 0.3  # charged for a statement that would take longer
MAX_EXECUTIONS = 400
MAX_REPEATS = 20
MIN_WRITES = 8
WRITES_MS = 16.0  # of one shape's writes in a run, as far as one of them is not longer
WRITE_OVERHEAD_MS = 0.1  # of the transaction around a write, uncounted but waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One execution of a run."""

    shape: str
    write: bool
    sample: Sample
    room: tuple[str, ...]
    weight: float
    """Executions of the workload that it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The executions of one run, in order, and how often the whole is repeated."""

    items: tuple[Item, ...]
    repeats: int


def plan_run(
    observations: tuple[Observation, ...], catalog: Catalog, *, run_ms: float = RUN_MS
) -> Schedule:
    """Choose samples so that a run is short and says most where most time goes.

    Args:
        observations: What is to be measured.
        catalog: Tells what a replayed insert needs out of its way.
        run_ms: Wanted length of one run.
    """
    counts = _allot(observations, run_ms=run_ms)
    items = []
    for observation in observations:
        samples = spread(observation.shape.samples, counts[observation.shape.id])
        write = observation.shape.write
        items += [
            Item(
                shape=observation.shape.id,
                write=write,
                sample=sample,
                room=room_for(sample, catalog) if write else (),
                weight=observation.shape.weight / len(samples),
            )
            for sample in samples
        ]
    total_ms = sum(_expected_ms(o) * counts[o.shape.id] for o in observations)
    repeats = int(min(MAX_REPEATS, max(1.0, SHORTEST_MS / total_ms))) if total_ms else 1
    return Schedule(items=tuple(items), repeats=repeats)


def _allot(observations: tuple[Observation, ...], *, run_ms: float) -> dict[str, int]:
    """Give each shape one sample, then the next one where the sum is least certain.

    Writes, a guardrail of their own beside dearer reads, begin with a few.
    """
    counts = {o.shape.id: _first(o) for o in observations}
    spent = sum(_expected_ms(o) * counts[o.shape.id] for o in observations)
    while spent < run_ms and sum(counts.values()) < MAX_EXECUTIONS:
        open_shapes = [
            o
            for o in observations
            if counts[o.shape.id] < len(o.shape.samples) and spent + _expected_ms(o) <= run_ms
        ]
        if not open_shapes:
            break
        best = max(
            open_shapes,
            key=lambda o: (o.shape.weight * _expected_ms(o) / counts[o.shape.id], o.shape.id),
        )
        counts[best.shape.id] += 1
        spent += _expected_ms(best)
    return counts


def _first(observation: Observation) -> int:
    """Samples that a shape begins with: of long writes, such as cascading deletes, few."""
    if not observation.shape.write:
        return 1
    affordable = int(WRITES_MS / max(_expected_ms(observation), 1e-3))
    return max(1, min(MIN_WRITES, len(observation.shape.samples), affordable))


def _expected_ms(observation: Observation) -> float:
    cost = observation.cost
    if cost is None:
        return 0.0
    overhead = WRITE_OVERHEAD_MS if observation.shape.write else 0.0
    return min(cost.ms, STATEMENT_CAP_S * 1e3) + overhead


def spread(samples: tuple[Sample, ...], limit: int) -> tuple[Sample, ...]:
    """Pick up to `limit` samples, evenly over their order, which goes by time."""
    if len(samples) <= limit:
        return samples
    step = len(samples) / limit
    return tuple(samples[int((number + 0.5) * step)] for number in range(limit))
