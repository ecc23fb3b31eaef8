"""From many proposals to the few that are worth an experiment."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.balance import WARY, balance_of, few_writes
from perfwright.agents.database.catalog import Index, IndexKey
from perfwright.agents.database.proposals import removal_proposal
from perfwright.agents.database.upkeep import is_front, is_protected
from perfwright.agents.database.whatif import Choice, Deadline, Greedy, Option, Rules, Trials
from perfwright.core import ChangeSpec, Prediction, Proposal

MAX_TRIALS = 400
NEED_NO_TRIAL = frozenset({"page-cache"})  # steps do not tell; its own trial was by the clock
SECOND_LOOK = frozenset({"covering-index", "merged-index"})
_ON = re.compile(r'\bON ("(?:[^"]|"")*")\(')


def choose(
    artifacts: DatabaseArtifacts,
    proposals: tuple[Proposal, ...],
    *,
    trials: Trials,
    time_is_up: Deadline,
) -> tuple[Proposal, ...]:
    """Try proposals on the scratch copy and keep those that are worth it.

    Removals come first, since they pay for the writes of what is added.

    Returns:
        Proposals with the effect that was seen, in the order in which they build on one another.
    """
    greedy = Greedy(
        trials=trials,
        rules=_rules(artifacts),
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


def _rules(artifacts: DatabaseArtifacts) -> Rules:
    rules = Rules(database_bytes=artifacts.catalog.size_bytes)
    if few_writes(artifacts):
        rules.max_write_growth = math.inf
    return rules


def extends(longer: ChangeSpec, shorter: ChangeSpec) -> bool:
    """Whether `longer` makes the one index of `shorter` with more columns behind its own."""
    one, other = _shape(longer), _shape(shorter)
    if one is None or other is None or one == other:
        return False
    return one[1] == other[1] and one[0].startswith(f"{other[0]}, ")


def _shape(change: ChangeSpec) -> tuple[str, str] | None:
    """Return table with keys, and condition, of a change that makes one index."""
    made = [s for s in change.apply if s.startswith("CREATE INDEX")]
    if len(made) != 1 or change.apply[0] != made[0]:
        return None
    definition = made[0].partition(" ON ")[2]
    keys, _, where = definition.partition(") WHERE ")
    return keys.removesuffix(")") if not where else keys, where


def _kind(proposal: Proposal) -> str:
    if proposal.remedy in NEED_NO_TRIAL:
        return "untried"
    first = proposal.change.apply[0].upper()
    if first.startswith("DROP"):
        return "removal"
    return "statistics" if first.startswith("ANALYZE") else "creation"


def _option(artifacts: DatabaseArtifacts, proposal: Proposal) -> Option:
    table = _table(artifacts, proposal)
    return Option(
        change=proposal.change,
        table=table,
        expected_ms=proposal.predicted.gain,
        wave=int(proposal.remedy in SECOND_LOOK),
        demand=WARY if balance_of(artifacts, table).writes_dominate else 1.0,
    )


def _table(artifacts: DatabaseArtifacts, proposal: Proposal) -> str:
    index = artifacts.catalog.index(proposal.change.subject)
    if index is not None:
        return index.table
    match = _ON.search(proposal.change.apply[0])
    return match[1][1:-1].replace('""', '"') if match else ""


def _superseded(artifacts: DatabaseArtifacts, chosen: list[Choice]) -> Iterator[Proposal]:
    """Yield removals of indexes that a new one begins with."""
    gone = {choice.change.subject for choice in chosen}
    added = [new for choice in chosen for new in _as_index(artifacts, choice)]
    for index in artifacts.catalog.indexes:
        longer = next((new for new in added if is_front(index, new)), None)
        if longer is None or index.name in gone or is_protected(index, artifacts.catalog):
            continue
        yield removal_proposal(
            artifacts,
            index,
            remedy="index-removal",
            reason=f"{longer.name} begins with the same columns",
            cost_ms=0.0,
        )


_CREATED = re.compile(r'^CREATE INDEX IF NOT EXISTS "((?:[^"]|"")*)" ON "((?:[^"]|"")*)"\((.*)\)$')
_COLUMN = re.compile(r'"((?:[^"]|"")*)"( DESC)?(?:, |$)')


def _as_index(artifacts: DatabaseArtifacts, choice: Choice) -> Iterator[Index]:
    """Yield the plain indexes that a change makes, as the catalog would show them."""
    for statement in choice.change.apply:
        match = _CREATED.match(statement)
        if match is None or _COLUMN.sub("", match[3]):
            continue
        table = artifacts.catalog.table(match[2].replace('""', '"'))
        if table is not None:
            yield Index(
                name=match[1],
                table=table.name,
                keys=tuple(
                    IndexKey(column=column.replace('""', '"'), descending=bool(down))
                    for column, down in _COLUMN.findall(match[3])
                ),
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
