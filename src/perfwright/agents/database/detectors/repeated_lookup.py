"""Many identical lookups where one query would do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from perfwright.agents.database.artifacts import (
    Access,
    DatabaseArtifacts,
    Observation,
    Repetition,
    Term,
)
from perfwright.agents.database.catalog import Catalog, ForeignKey
from perfwright.agents.database.examples import artifacts, read
from perfwright.core import Detector, Finding, Layer, Scope

MIN_TOGETHER = 10  # below, the round trips cost less than the noise of a request
MIN_TIMES_CHANCE = 3.0  # a lookup that is most of a workload stands beside itself by chance
MIN_SEEN = 20  # executions whose place is known
MIN_RATIO = 5.0  # lookups for each execution of the parent; below, two habits may just coincide
SLACK = 0.35  # how far the lookups may be from the rows that the parent returned
_ORDER_KNOWN, _ORDER_GUESSED = 0.9, 0.5


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each lookup that is repeated where its rows could come together."""
    lookups = [o for o in artifacts.reads if _is_lookup(o, artifacts.catalog)]
    for lookup in lookups:
        repetition = lookup.shape.repetition
        if repetition is not None and repetition.seen >= MIN_SEEN:
            if _is_loop(repetition):
                yield _finding(lookup, repetition)
        elif (parent := _parent(lookup, artifacts)) is not None:
            yield _guess(lookup, parent)


def _is_lookup(observation: Observation, catalog: Catalog) -> bool:
    """Whether it finds rows of one table by a key of its own or of a parent."""
    if len(observation.accesses) != 1:
        return False
    access = observation.accesses[0]
    fixed = {t.column.casefold() for t in access.terms if t.operator == "=" and t.column}
    return any({name.casefold() for name in key} <= fixed for key in _keys(access.table, catalog))


def _keys(name: str, catalog: Catalog) -> Iterator[tuple[str, ...]]:
    found = catalog.table(name)
    if found is not None and found.primary_key:
        yield found.primary_key
    for index in catalog.indexes_of(name):
        if index.unique and index.plain and index.valid:
            yield tuple(column for column in index.columns if column)
    for key in catalog.foreign_keys:
        if key.table == name and key.columns:
            yield key.columns


def _is_loop(repetition: Repetition) -> bool:
    return repetition.together >= max(MIN_TOGETHER, MIN_TIMES_CHANCE * repetition.by_chance)


def _finding(lookup: Observation, repetition: Repetition) -> Finding:
    where = "in one transaction" if repetition.within == "transaction" else "in a row"
    times = f"{repetition.together:.0f} executions {where}"
    seen = f"seen in {repetition.seen:,} executions of {lookup.shape.calls:,}"
    return Finding(
        subject=lookup.shape.text,
        evidence=f"{times}, {seen}, {_each_ms(lookup):.2f} ms each",
        cost=_total_ms(lookup) * (1 - 1 / repetition.together),
        confidence=_ORDER_KNOWN,
    )


def _parent(lookup: Observation, artifacts: DatabaseArtifacts) -> Observation | None:
    """The statement whose rows are looked up one by one, as far as the totals tell."""
    table = lookup.accesses[0].table
    if not _is_by_primary_key(lookup, artifacts.catalog):
        return None
    keys = [k for k in artifacts.catalog.foreign_keys if k.parent == table]
    candidates = [
        o
        for o in artifacts.reads
        if o.shape.id != lookup.shape.id and _fits(o, lookup) and any(_returns(o, k) for k in keys)
    ]
    return max(candidates, key=lambda o: (o.shape.calls, o.shape.id), default=None)


def _is_by_primary_key(lookup: Observation, catalog: Catalog) -> bool:
    access = lookup.accesses[0]
    table = catalog.table(access.table)
    fixed = {t.column for t in access.terms if t.operator == "="}
    return table is not None and bool(table.primary_key) and set(table.primary_key) <= fixed


def _returns(observation: Observation, key: ForeignKey) -> bool:
    """Whether a statement reads the columns that point to the rows that are looked up."""
    return any(
        access.table == key.table and (access.whole_rows or set(key.columns) <= set(access.columns))
        for access in observation.accesses
    ) and all(access.table != key.parent for access in observation.accesses)


def _fits(parent: Observation, lookup: Observation) -> bool:
    """Whether there are as many lookups as rows of the parent."""
    rows = _rows_per_call(parent)
    ratio = lookup.shape.calls / max(1, parent.shape.calls)
    return rows is not None and ratio >= MIN_RATIO and abs(ratio - rows) <= SLACK * rows


def _rows_per_call(observation: Observation) -> float | None:
    counters = observation.shape.counters
    if counters is not None:
        return counters.rows / observation.shape.calls
    return observation.cost.rows if observation.cost else None


def _guess(lookup: Observation, parent: Observation) -> Finding:
    ratio = lookup.shape.calls / parent.shape.calls
    rows = _rows_per_call(parent) or 0.0
    return Finding(
        subject=lookup.shape.text,
        evidence=f"{ratio:.1f} executions of {_each_ms(lookup):.2f} ms for each one of "
        f"`{parent.shape.text[:80]}`, which returns {rows:.1f} rows; judged by totals, since the "
        "order of the statements is not known",
        cost=_total_ms(lookup) * (1 - 1 / ratio),
        confidence=_ORDER_GUESSED,
    )


def _total_ms(observation: Observation) -> float:
    return observation.total_ms or observation.shape.recorded_ms or 0.0


def _each_ms(observation: Observation) -> float:
    return _total_ms(observation) / max(1, observation.shape.calls)


def _looked_up(together: float) -> DatabaseArtifacts:
    lookup = read(
        Access(table="orders", terms=(Term(key='"id"', column="id", operator="="),)), steps=20
    )
    repetition = Repetition(
        within="transaction", together=together, by_chance=1.0, seen=100, groups=2
    )
    return artifacts(replace(lookup, shape=replace(lookup.shape, repetition=repetition)))


RULE = Detector(
    id="repeated-lookup",
    layer=Layer.DATABASE,
    title="Fetch related rows in one query",
    why="Each lookup pays a round trip; the total grows with the page, not with the data.",
    needs=("workload",),
    scope=Scope.COMPREHENSIVE,
    find=find,
    limits="A batch job that looks up what it has no list of looks the same; round trips between "
    "program and server cost more than the times of the server show. Where no source tells the "
    "order, only lookups along a declared foreign key are found.",
    fires_on=_looked_up(50),
    silent_on=_looked_up(2),
)
