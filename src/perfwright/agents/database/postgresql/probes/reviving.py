"""Deletes whose rows are gone, since the program carried them out: other rows stand in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from perfwright.agents.database.artifacts import Sample, Shape
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.execution import Execution
from perfwright.agents.database.postgresql.probes.connection import Connection
from perfwright.agents.database.postgresql.probes.drawing import draw_missing
from perfwright.agents.database.postgresql.probes.observation import literal_samples
from perfwright.agents.database.postgresql.probes.replay import Replayer, UnsafeStatementError
from perfwright.agents.database.workload import tokenize

LIMIT_S = 2.0
MAX_ALIKE = 6
LIKENESS = (0.05, 2.0)  # beyond, the counters are of something else than what the replay does


def with_living_rows(
    shapes: tuple[Shape, ...], connection: Connection, *, catalog: Catalog
) -> tuple[tuple[Shape, ...], tuple[str, ...]]:
    """Give deletes that find nothing any more the keys of rows that are there.

    Else the cost of finding the children of a row, often the largest of all writes, would not
    show: a replay of the recorded delete ends after one look into an index.

    Returns:
        All shapes, and a note where some were changed.
    """
    replayer = Replayer(connection)
    done: list[Shape] = []
    revived = 0
    for shape in shapes:
        drawn: tuple[Shape, ...] = ()
        if _is_delete(shape) and not _finds_rows(shape, replayer):
            bare = replace(shape, samples=(), template=_parametrised(shape))
            drawn = draw_missing((bare,), connection, catalog=catalog).shapes
        found = _likest(drawn[0], replayer) if drawn else shape
        revived += found is not shape and bool(found.samples)
        done.append(found if found.samples else shape)
    if not revived:
        return shapes, ()
    note = (
        f"{revived} deletes in the workload find their rows no more; they are measured on other "
        "rows of the same tables"
    )
    return tuple(done), (note,)


def _is_delete(shape: Shape) -> bool:
    first = next((token for token in tokenize(shape.template, "postgres")), None)
    return shape.write and first is not None and first.text.upper() == "DELETE"


def _finds_rows(shape: Shape, replayer: Replayer) -> bool:
    import psycopg

    for sample in literal_samples(shape.samples, replayer.connection):
        try:
            if replayer.write(sample, limit_s=LIMIT_S, count=False).rows:
                return True
        except (psycopg.Error, UnsafeStatementError):
            return True  # a row is there, and must not be deleted
    return False


def _likest(shape: Shape, replayer: Replayer) -> Shape:
    """Give a shape those of its drawn samples that cost about what the recorded executions did.

    Programs delete what hardly anything hangs on; a row at random may have thousands of children.
    Where even the likest differ, the server's count of buffers says how many of them make one.
    """
    import psycopg

    runs: list[tuple[Execution, Sample]] = []
    for sample in literal_samples(shape.samples, replayer.connection):
        try:
            run = replayer.write(sample, limit_s=LIMIT_S)
        except (psycopg.Error, UnsafeStatementError):
            continue
        if run.rows:
            runs.append((run, sample))
    runs.sort(key=lambda pair: _distance(shape, pair[0]))
    likest = runs[:MAX_ALIKE]
    likeness = _likeness(shape, [run for run, _ in likest])
    return replace(shape, samples=tuple(sample for _, sample in likest), likeness=likeness)


def _likeness(shape: Shape, runs: Sequence[Execution]) -> float:
    recorded, seen = _recorded_pages(shape), sum(run.pages for run in runs)
    if not recorded or not seen:
        return 1.0
    low, high = LIKENESS
    return min(max(recorded * len(runs) / seen, low), high)


def _recorded_pages(shape: Shape) -> float:
    """Buffers of one call, as the server counted them; 0 where it did not."""
    if shape.counters is None or not shape.calls:
        return 0.0
    return (shape.counters.hit_pages + shape.counters.read_pages) / shape.calls


def _distance(shape: Shape, run: Execution) -> float:
    """How many times off a run is, as a logarithm; 0 where nothing was recorded."""
    pages = _recorded_pages(shape)
    if pages:
        recorded, seen = pages, run.pages
    elif shape.recorded_ms is not None and shape.calls:
        recorded, seen = shape.recorded_ms / shape.calls, run.seconds * 1e3
    else:
        return 0.0
    return abs(math.log(max(seen, 1e-3) / max(recorded, 1e-3)))


def _parametrised(shape: Shape) -> str:
    """The statement with a parameter for every value, as in the server's own statistics."""
    parts: list[str] = []
    end = number = 0
    for token in tokenize(shape.template, "postgres"):
        number = max(number, _number(token.text))
    for token in tokenize(shape.template, "postgres"):
        if token.kind in {"string", "number"}:
            number += 1
            parts += [shape.template[end : token.start], f"${number}"]
            end = token.end
    return "".join([*parts, shape.template[end:]])


def _number(text: str) -> int:
    digits = text.removeprefix("$")
    return int(digits) if text.startswith("$") and digits.isdigit() else 0
