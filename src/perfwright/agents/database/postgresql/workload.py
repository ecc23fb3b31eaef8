"""Several sources joined to one workload: counters from one, values from another, order from both.

pg_stat_statements knows every statement, how often it ran and how long, but no values. Logs and
sessions show values, of some executions only. What both are about is told by a common key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from perfwright.agents.database.artifacts import Counters, Repetition, Sample, Shape
from perfwright.agents.database.postgresql.normalising import (
    inlined,
    key_of,
    masked,
    mended,
    parameters_in,
    without_literals,
)
from perfwright.agents.database.postgresql.repeating import Repetitions
from perfwright.agents.database.workload import (
    MIN_CONSTANT_CALLS,
    Execution,
    ShapeCollector,
    split_statements,
)

MAX_SHAPES = 2_000  # of pg_stat_statements' 5,000; the rest has no share of the time worth a look


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One execution at its place."""

    execution: Execution
    session: str = ""
    transaction: str | None = None
    """None outside of transactions, and where nothing tells."""
    usable: bool = True
    """False when its parameters are not known: then only its text and its place count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A workload, and where it comes from."""

    shapes: tuple[Shape, ...] = ()
    """The most time first, then the most calls."""
    notes: tuple[str, ...] = ()
    source: str = ""
    window_s: float | None = None
    """Seconds that the calls were counted in; None: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What pg_stat_statements counted for one statement, all roles together."""

    key: str
    sql: str
    text: str
    write: bool
    calls: int
    ms: float
    counters: Counters


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Executions with values, grouped."""

    shapes: Mapping[str, tuple[Shape, ...]]
    """By key; several where the server counts together what differs in a `true` or a sign."""
    texts: Mapping[str, str]
    """By key: the program's own text with `$1`, whose literals are constants of the program."""
    repetitions: Mapping[str, Repetition]
    """By key."""
    unvalued: tuple[Shape, ...] = ()
    """What was seen without its values only; without samples."""
    executions: int = 0
    """With values and without."""


@dataclass(slots=True)
class Gatherer:
    """Groups executions as they come."""

    _collector: ShapeCollector = field(default_factory=lambda: ShapeCollector(dialect="postgres"))
    _unvalued: ShapeCollector = field(default_factory=lambda: ShapeCollector(dialect="postgres"))
    _keys: dict[str, str | None] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)
    _repetitions: Repetitions = field(default_factory=Repetitions)
    _executions: int = 0

    def add(self, event: Event, *, in_order: bool = True) -> None:
        """Take one execution; several statements sent as one text count one by one.

        Args:
            event: The execution.
            in_order: Whether its place says what was executed before it.
        """
        sql = event.execution.sql
        parts = [s for _, s in split_statements(sql, "postgres")] if ";" in sql else [sql]
        if len(parts) == 1:
            self._add(event, in_order=in_order)
            return
        for part in parts:
            execution = replace(event.execution, sql=part, ms=None)
            self._add(replace(event, execution=execution), in_order=in_order)

    def _add(self, event: Event, *, in_order: bool) -> None:
        sql = event.execution.sql
        key = self._key(sql)
        if key is None:
            return
        if key not in self._texts and parameters_in(sql):
            self._texts[key] = sql
        (self._collector if event.usable else self._unvalued).add(event.execution)
        self._executions += 1
        if in_order:
            self._repetitions.add(key, session=event.session, transaction=event.transaction)

    def _key(self, sql: str) -> str | None:
        if sql not in self._keys:
            found = masked(sql)
            self._keys[sql] = key_of(found[0]) if found else None
        return self._keys[sql]

    def result(self) -> Gathered:
        """Everything so far."""
        shapes: dict[str, tuple[Shape, ...]] = defaultdict(tuple)
        for shape in self._collector.shapes():
            samples = tuple(filter(None, map(_with_values, shape.samples)))
            shapes[key_of(shape.text)] += (replace(shape, samples=samples),)
        return Gathered(
            shapes=shapes,
            texts=self._texts,
            repetitions=self._repetitions.result(),
            unvalued=tuple(
                replace(shape, samples=())
                for shape in self._unvalued.shapes()
                if key_of(shape.text) not in shapes
            ),
            executions=self._executions,
        )


def _with_values(sample: Sample) -> Sample | None:
    if not isinstance(sample.parameters, tuple):
        return sample
    sql = inlined(sample.sql, tuple(None if v is None else str(v) for v in sample.parameters))
    return replace(sample, sql=sql, parameters=None) if sql is not None else None


def join(totals: Iterable[Total], gathered: Gathered) -> tuple[Shape, ...]:
    """Give the counters of pg_stat_statements their values.

    Returns:
        Shapes with the server's calls and times. Those without samples are those that no other
        source has seen. What pg_stat_statements does not hold is left out: it did not run in the
        time that is looked at.
    """
    shapes: list[Shape] = []
    for total in _merged(totals):
        known = gathered.shapes.get(total.key, ())
        repetition = gathered.repetitions.get(total.key)
        if known:
            shapes += _shared(
                total, known, repetition=repetition, own=gathered.texts.get(total.key)
            )
        else:
            text = gathered.texts.get(total.key) or mended(total.sql)
            shapes.append(_bare(total, template=text, repetition=repetition))
    return ordered(shapes)


def without_counters(gathered: Gathered) -> tuple[Shape, ...]:
    """The workload as it was seen, where nothing else counts it."""
    seen = [*(shape for shapes in gathered.shapes.values() for shape in shapes), *gathered.unvalued]
    return ordered(with_order(seen, gathered.repetitions))


def with_order(shapes: Iterable[Shape], repetitions: Mapping[str, Repetition]) -> tuple[Shape, ...]:
    """Tell shapes how their executions stood together."""
    return tuple(replace(s, repetition=repetitions.get(key_of(s.text))) for s in shapes)


def with_times(shapes: Iterable[Shape], totals: Iterable[Total]) -> tuple[Shape, ...]:
    """Give the shapes of a file what the server counted, and its times where the file has none."""
    known = {total.key: total for total in _merged(totals)}
    return ordered(_timed(shape, known.get(key_of(shape.text))) for shape in shapes)


def _timed(shape: Shape, total: Total | None) -> Shape:
    if total is None:
        return shape
    share = shape.calls / total.calls
    recorded_ms = total.ms * share if shape.recorded_ms is None else shape.recorded_ms
    return replace(shape, recorded_ms=recorded_ms, counters=_part(total.counters, share))


def uncovered(shapes: Iterable[Shape], totals: Iterable[Total]) -> tuple[tuple[Total, ...], float]:
    """What the server executes and a file does not hold, costliest first, and its share of time."""
    keys = {key_of(shape.text) for shape in shapes}
    merged = _merged(totals)
    missing = tuple(sorted((t for t in merged if t.key not in keys), key=lambda t: -t.ms))
    all_ms = sum(total.ms for total in merged)
    return missing, sum(total.ms for total in missing) / all_ms if all_ms else 0.0


def ordered(shapes: Iterable[Shape]) -> tuple[Shape, ...]:
    """The most time first, then the most calls."""
    return tuple(sorted(shapes, key=lambda s: (-(s.recorded_ms or 0.0), -s.calls, s.id)))


def identity(text: str) -> str:
    """The identifier of the shape with this text."""
    return sha256(text.encode()).hexdigest()[:10]


def _merged(totals: Iterable[Total]) -> list[Total]:
    """Several roles and texts may share one key."""
    merged: dict[str, Total] = {}
    for total in totals:
        known = merged.get(total.key)
        merged[total.key] = total if known is None else _sum(known, total)
    return list(merged.values())


def _sum(one: Total, other: Total) -> Total:
    return replace(
        max(one, other, key=lambda t: t.calls),
        calls=one.calls + other.calls,
        ms=one.ms + other.ms,
        counters=_sum_counters(one, other),
    )


def _sum_counters(one: Total, other: Total) -> Counters:
    a, b = one.counters, other.counters
    calls = one.calls + other.calls
    squares = sum(
        t.calls * (t.counters.deviation_ms**2 + (t.ms / t.calls) ** 2) for t in (one, other)
    )
    mean_ms = (one.ms + other.ms) / calls
    return Counters(
        rows=a.rows + b.rows,
        hit_pages=a.hit_pages + b.hit_pages,
        read_pages=a.read_pages + b.read_pages,
        dirtied_pages=a.dirtied_pages + b.dirtied_pages,
        wal_bytes=a.wal_bytes + b.wal_bytes,
        deviation_ms=max(0.0, squares / calls - mean_ms**2) ** 0.5,
    )


def _bare(total: Total, *, template: str, repetition: Repetition | None) -> Shape:
    return Shape(
        id=identity(total.text),
        text=total.text,
        template=template,
        write=total.write,
        calls=total.calls,
        recorded_ms=total.ms,
        samples=(),
        counters=total.counters,
        repetition=repetition,
    )


def _shared(
    total: Total, known: tuple[Shape, ...], *, repetition: Repetition | None, own: str | None
) -> Iterator[Shape]:
    """Share calls and time among the texts that the server counts together, as they were seen.

    A value that stood in the few executions seen may differ in all others, unless the program's
    own text holds it beside parameters.
    """
    seen = sum(shape.calls for shape in known)
    timed = all(shape.recorded_ms for shape in known)
    seen_ms = sum(shape.recorded_ms or 0.0 for shape in known)
    for shape in known:
        share = shape.calls / seen
        ms_share = (shape.recorded_ms or 0.0) / seen_ms if timed else share
        calls = max(1, round(total.calls * share))
        samples = tuple(replace(s, weight=calls / len(shape.samples)) for s in shape.samples)
        yield replace(
            shape,
            template=_template(shape, own=own),
            calls=calls,
            recorded_ms=total.ms * ms_share,
            samples=samples,
            counters=_part(total.counters, share),
            repetition=repetition,
        )


def _template(shape: Shape, *, own: str | None) -> str:
    if shape.calls >= MIN_CONSTANT_CALLS:
        return shape.template
    return own or without_literals(shape.template)


def _part(counters: Counters, share: float) -> Counters:
    return Counters(
        rows=counters.rows * share,
        hit_pages=counters.hit_pages * share,
        read_pages=counters.read_pages * share,
        dirtied_pages=counters.dirtied_pages * share,
        wal_bytes=counters.wal_bytes * share,
        deviation_ms=counters.deviation_ms,
    )
