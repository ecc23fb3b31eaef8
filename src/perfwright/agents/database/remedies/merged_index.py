"""One index for several statements, where one after another would get its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.design import DesignKey, IndexDesign
from perfwright.agents.database.existing import exists
from perfwright.agents.database.knowledge import MAX_EXTRA_COLUMNS, MAX_KEYS, Kind
from perfwright.agents.database.proposals import access_candidates, index_proposal
from perfwright.core import Finding, Layer, Proposal, Remedy, Scope

MAX_MERGED = 10  # per table: the costliest pairs; each is built once to be judged
_KINDS: frozenset[Kind] = frozenset({"composite", "covering", "partial", "expression"})


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose indexes whose front serves one statement and whose whole serves another."""
    by_place: dict[tuple[str, tuple[str, ...]], dict[IndexDesign, float]] = {}
    for candidate, finding in access_candidates(artifacts, findings, kinds=_KINDS):
        place = (candidate.design.table, candidate.design.where)
        costs = by_place.setdefault(place, {})
        costs[candidate.design] = max(costs.get(candidate.design, 0.0), finding.cost)
    for costs in by_place.values():
        yield from _of_one_place(artifacts, costs)


def _of_one_place(
    artifacts: DatabaseArtifacts, costs: dict[IndexDesign, float]
) -> Iterator[Proposal]:
    known = {design.definition for design in costs}
    found: dict[IndexDesign, float] = {}
    for front, whole in permutations(costs, 2):
        merged = merge(front, whole)
        if merged is None or merged.definition in known or exists(merged, artifacts.catalog):
            continue
        found[merged] = max(found.get(merged, 0.0), costs[front] + costs[whole])
    best = sorted(found, key=lambda design: (-found[design], design.definition))
    for design in best[:MAX_MERGED]:
        yield index_proposal(
            artifacts,
            (design,),
            remedy="merged-index",
            cost_ms=found[design],
            scope=Scope.COMPREHENSIVE,
        )


def merge(front: IndexDesign, whole: IndexDesign) -> IndexDesign | None:
    """Put the keys of `front` first where `whole` leaves the order of those keys free.

    Returns:
        None when `whole` does not fix all of them, or nothing would differ.
    """
    free = {key.text: key for key in whole.keys if key.equality}
    if len(front.keys) >= len(whole.keys) or any(key.text not in free for key in front.keys):
        return None
    if any(free[key.text].operator_class != key.operator_class for key in front.keys):
        return None
    first: tuple[DesignKey, ...] = tuple(free[key.text] for key in front.keys)
    rest = tuple(key for key in whole.keys if key not in first)
    keys = (*first, *rest)
    carried = (*whole.included, *front.included)
    included = tuple(c for c in dict.fromkeys(carried) if c not in {key.column for key in keys})
    if len(keys) > MAX_KEYS or len(included) > MAX_EXTRA_COLUMNS:
        return None
    merged = replace(whole, keys=keys, included=included)
    return None if merged == whole else merged


RULE = Remedy(
    id="merged-index",
    layer=Layer.DATABASE,
    answers=(
        "automatic-index",
        "broad-search",
        "expression-filter",
        "full-scan",
        "selective-constant",
        "unindexed-sort",
        "wide-lookup",
    ),
    scope=Scope.COMPREHENSIVE,
    propose=propose,
    why="Two indexes with the same front cost twice the writes and the memory of one.",
)
