"""Indexes that no statement of the workload uses."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, PlanStep
from perfwright.agents.database.balance import balance_of
from perfwright.agents.database.catalog import Catalog, Index
from perfwright.agents.database.design import PREFIX
from perfwright.agents.database.examples import artifacts, index, read
from perfwright.agents.database.facts import IndexFacts
from perfwright.agents.database.upkeep import is_protected, upkeep_ms, used_indexes
from perfwright.core import Detector, Finding, Layer, Scope
from perfwright.core.units import format_size

MONTH_S = 30 * 86_400.0  # a business cycle: what nobody used in that time, no monthly job needs
PLANNING = 2  # reads of an index's ends that planning one statement may count as scans


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each index that is in no plan and enforces nothing.

    Where no workload tells, PostgreSQL's own counters decide, if they are old enough.
    """
    used = used_indexes(artifacts)
    seen = _tables_seen(artifacts)
    catalog = artifacts.catalog
    for candidate in catalog.indexes:
        if candidate.name in used or not candidate.valid or is_protected(candidate, catalog):
            continue
        # A table that the workload never mentions says nothing about its indexes.
        if candidate.table in seen:
            fits = _is_explained(candidate, artifacts)
        else:
            fits = _is_idle(candidate, catalog)
        if fits:
            yield Finding(
                subject=candidate.name,
                evidence=_evidence(candidate, artifacts),
                cost=upkeep_ms(artifacts, candidate),
                confidence=0.4 if catalog.has_replicas else 0.7,
                facts=IndexFacts(index=candidate.name, reason="no statement uses it"),
            )


def _tables_seen(artifacts: DatabaseArtifacts) -> set[str]:
    """The tables that the workload mentions, and the partitions of those."""
    seen = {table for observation in artifacts.workload or () for table in observation.tables}
    parents = {t.name: t.partition_of for t in artifacts.catalog.tables}
    for name, parent in parents.items():
        above = parent
        while above is not None and above not in seen:
            above = parents.get(above)
        if above is not None:
            seen.add(name)
    return seen


def _is_idle(index: Index, catalog: Catalog) -> bool:
    """Whether the server counted no use of it for long enough; replicas count for themselves."""
    if catalog.dialect != "postgres" or catalog.has_replicas:
        return False
    return index.scans == 0 and (catalog.statistics_age_s or 0.0) >= MONTH_S


def _is_explained(index: Index, artifacts: DatabaseArtifacts) -> bool:
    """Whether whoever used it on the server is in the workload, whose plans do without it.

    More scans than the workload has statements that it could serve come from somebody else.
    """
    if not _is_due(index, artifacts):
        return False
    if not index.scans:
        return True
    front = index.columns[0] if index.keys else None
    calls = sum(
        observation.shape.calls
        for observation in artifacts.workload or ()
        for access in observation.accesses
        if access.table == index.table and front in _searched(access)
    )
    return index.scans <= PLANNING * calls


def _is_due(index: Index, artifacts: DatabaseArtifacts) -> bool:
    """Whether enough is known: from old counters, or from a workload that somebody vouches for.

    Young counters, and a workload made of them, have not seen the monthly job. A workload file
    stands for what is executed, but only for tables that it writes there is anything to save; and
    what an earlier run proved, another workload does not refute.
    """
    catalog = artifacts.catalog
    if catalog.dialect != "postgres" or (catalog.statistics_age_s or 0.0) >= MONTH_S:
        return True
    written = balance_of(artifacts, index.table).writes > 0
    return artifacts.workload_given and written and not index.name.startswith(PREFIX)


def _searched(access: Access) -> set[str | None]:
    """The columns that restrict or order an access; None for expressions."""
    terms = [*access.terms, *(term for branch in access.branches for term in branch)]
    ordered = {key.column for key in (*access.order, *access.grouping)}
    return {term.column for term in terms} | ordered


def _evidence(index: Index, artifacts: DatabaseArtifacts) -> str:
    catalog = artifacts.catalog
    days = (catalog.statistics_age_s or 0.0) / 86_400.0
    words = [] if artifacts.workload is None else ["in no plan of the workload"]
    if index.scans is not None:
        words.append(f"{index.scans} scans counted in {days:.1f} days")
    words.append(f"takes {format_size(index.size_bytes)}")
    if catalog.has_replicas:
        words.append("replicas may use it: they count for themselves")
    return "; ".join(words)


_PLAN = (PlanStep(detail="SEARCH orders", table="orders", index="idle", action="search"),)
_ACCESS = Access(table="orders", alias="orders")
RULE = Detector(
    id="unused-index",
    layer=Layer.DATABASE,
    title="Drop the index",
    why="Every write maintains it and the page cache holds it, for nothing.",
    needs=("catalog",),
    scope=Scope.COMPREHENSIVE,
    find=find,
    limits="It is judged by this workload only: record one that holds the rare jobs, too.",
    fires_on=artifacts(read(_ACCESS), indexes=(index("idle", "placed"),)),
    silent_on=artifacts(read(_ACCESS, plan=_PLAN), indexes=(index("idle", "placed"),)),
)
