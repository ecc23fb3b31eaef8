"""From many proposals to the few that are worth an experiment."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.balance import balance_of, few_writes
from perfwright.agents.database.catalog import Index
from perfwright.agents.database.definitions import Definition, read_definition
from perfwright.agents.database.proposals import removal_proposal
from perfwright.agents.database.upkeep import is_front, is_protected
from perfwright.agents.database.whatif import Choice, Deadline, Greedy, Option, Rules, Trials
from perfwright.core import ChangeSpec, Prediction, Proposal

MAX_TRIALS = 400
PAGE_GROWTH = 0.9  # of the tolerance, in buffers; their time, with its fixed part, grows less
PAYS = 2.0  # times its write cost, a gain is worth an experiment whatever the writes may grow
NEED_NO_TRIAL = frozenset({"page-cache", "session-settings"})
"""Steps do not tell; their own trials are by the clock."""
SECOND_LOOK = frozenset({"covering-index", "merged-index"})
_OWN_COLLATION = frozenset({"", "BINARY"})


def choose(
    artifacts: DatabaseArtifacts,
    proposals: tuple[Proposal, ...],
    *,
    trials: Trials,
    time_is_up: Deadline,
    write_tolerance: float = 0.10,
) -> tuple[Proposal, ...]:
    """Try proposals on the scratch copy and keep those that are worth it.

    Removals come first, since they pay for the writes of what is added.

    Args:
        artifacts: What was seen.
        proposals: What the remedies made of it.
        trials: Tries them.
        time_is_up: Ends the choosing.
        write_tolerance: How much dearer the writes may get, 0 to 1.

    Returns:
        Proposals with the effect that was seen, in the order in which they build on one another.
    """
    greedy = Greedy(
        trials=trials,
        rules=_rules(artifacts, write_tolerance=write_tolerance),
        time_is_up=time_is_up,
    )
    by_kind: dict[str, list[Proposal]] = {}
    for proposal in proposals:
        by_kind.setdefault(_kind(proposal), []).append(proposal)
    options = {
        kind: [_option(artifacts, p) for p in group][:MAX_TRIALS] for kind, group in by_kind.items()
    }
    greedy.drop(options.get("removal", []))
    greedy.add(options.get("statistics", []))
    for wave in (0, 1):
        greedy.add([o for o in options.get("creation", []) if o.wave == wave])
    greedy.prune()
    greedy.widen(options.get("creation", []), extends=extends)
    superseded = list(_superseded(artifacts, greedy.chosen))
    greedy.drop([_option(artifacts, p) for p in superseded])
    known = {p.change.apply: p for p in (*superseded, *proposals)}
    chosen = tuple(_predicted(known[c.change.apply], c) for c in greedy.chosen)
    return (*chosen, *(p for p in proposals if p.remedy in NEED_NO_TRIAL))


def _rules(artifacts: DatabaseArtifacts, *, write_tolerance: float) -> Rules:
    rules = Rules(database_bytes=artifacts.catalog.size_bytes)
    if artifacts.catalog.dialect == "postgres":
        rules.max_write_growth = PAGE_GROWTH * write_tolerance
        rules.pays = PAYS
    if few_writes(artifacts):
        rules.max_write_growth = math.inf
    return rules


def extends(longer: ChangeSpec, shorter: ChangeSpec) -> bool:
    """Whether `longer` makes the one index of `shorter` with more columns behind its own."""
    one, other = _single(longer), _single(shorter)
    return one is not None and other is not None and one.extends(other)


def _single(change: ChangeSpec) -> Definition | None:
    """The index of a change that makes one; that of the partitioned table when it has parts."""
    return read_definition(change.apply[0]) if "," not in change.subject else None


def _made(change: ChangeSpec) -> list[Definition]:
    """The indexes that a change makes, those of partitions included."""
    return [made for s in change.apply if (made := read_definition(s)) is not None]


def _kind(proposal: Proposal) -> str:
    if proposal.remedy in NEED_NO_TRIAL:
        return "untried"
    first = proposal.change.apply[0].upper()
    if first.startswith("DROP"):
        return "removal"
    return "statistics" if first.startswith(("ANALYZE", "CREATE STATISTICS")) else "creation"


def _option(artifacts: DatabaseArtifacts, proposal: Proposal) -> Option:
    table = _table(artifacts, proposal)
    return Option(
        change=proposal.change,
        table=table,
        expected_ms=proposal.predicted.gain,
        wave=int(proposal.remedy in SECOND_LOOK),
        demand=balance_of(artifacts, table).demand,
    )


def _table(artifacts: DatabaseArtifacts, proposal: Proposal) -> str:
    index = artifacts.catalog.index(proposal.change.subject)
    if index is not None:
        return index.table
    relation = next((made.relation for made in _made(proposal.change)), "")
    return next((t.name for t in artifacts.catalog.tables if t.relation == relation), "")


def _superseded(artifacts: DatabaseArtifacts, chosen: list[Choice]) -> Iterator[Proposal]:
    """Yield removals of indexes that a new one begins with."""
    gone = {choice.change.subject for choice in chosen}
    catalog = artifacts.catalog
    made = [definition for choice in chosen for definition in _made(choice.change)]
    added = [new for definition in made if (new := definition.as_index(catalog)) is not None]
    begins = _begins if catalog.dialect == "postgres" else is_front
    for index in catalog.indexes:
        longer = next((new for new in added if begins(index, new)), None)
        if longer is None or index.name in gone or is_protected(index, artifacts.catalog):
            continue
        yield removal_proposal(
            artifacts,
            index,
            remedy="index-removal",
            reason=f"{longer.name} begins with the same columns",
            cost_ms=0.0,
        )


def _begins(index: Index, new: Index) -> bool:
    """Whether a new index of PostgreSQL holds what an existing one does, in its order."""
    keys = [
        (key.column, key.descending, key.nulls)
        for key in index.keys
        if not key.operator_class and key.collation in _OWN_COLLATION
    ]
    front = [(key.column, key.descending, key.nulls) for key in new.keys[: len(index.keys)]]
    columns = {*new.columns, *new.included}
    return (
        index.table == new.table
        and index.partition_of is None
        and index.method == new.method == "btree"
        and index.plain
        and keys == front
        and set(index.included) <= columns
    )


def _predicted(proposal: Proposal, choice: Choice) -> Proposal:
    """Replace the guess by what was seen."""
    trial = choice.trial
    return replace(
        proposal,
        predicted=Prediction(
            metric="workload",
            ratio=trial.ratio,
            gain=trial.net_ms,
            basis=f"trial build: reads {-trial.read_ms:+.2f} ms, writes {trial.write_ms:+.2f} ms "
            "per replay, by steps and pages",
        ),
        size_bytes=trial.size_bytes,
    )
