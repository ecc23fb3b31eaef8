"""Settings for the role that runs the workload, or for its database."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.facts import SettingFacts
from perfwright.agents.database.postgresql.knobs import KNOBS, KnobFacts, present, present_values
from perfwright.agents.database.postgresql.setting_changes import overridden, setting_change
from perfwright.agents.database.postgresql.spaces import Room, space_for
from perfwright.agents.database.server import ServerState
from perfwright.core import Finding, Layer, Prediction, Proposal, Remedy, Risk, Scope

REMEDY = "session-settings"


def knobs_of(finding: Finding) -> tuple[str, ...]:
    """The knobs that a finding speaks of."""
    match finding.facts:
        case KnobFacts(knobs=names):
            return names
        case SettingFacts(setting=name) if name in KNOBS:
            return (name,)
        case _:
            return ()


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose the usual better values; which ones pay is searched on the copy."""
    server = artifacts.server
    if server is None or not server.database:
        return
    names = [name for finding in findings for name in knobs_of(finding)]
    texts = first_guess(server, names)
    if not texts:
        return
    total = sum(o.total_ms for o in artifacts.workload or ())
    gain = sum(finding.cost for finding in findings if knobs_of(finding))
    yield Proposal(
        layer=Layer.DATABASE,
        remedy=REMEDY,
        change=setting_change(server, texts),
        predicted=Prediction(
            metric="workload",
            ratio=max(0.0, 1.0 - gain / total) if total else 1.0,
            gain=gain,
            basis="the usual values, before any trial: a guess",
        ),
        risk=risk_of(texts),
        scope=Scope.COMPREHENSIVE,
    )


def first_guess(server: ServerState, names: list[str]) -> dict[str, str]:
    """Values that experience suggests, by name; nothing for what stands well or cannot be set."""
    values = present_values(server.settings)
    values |= {n: v for n in names if (v := present(server, n)) is not None}
    room = Room(memory_bytes=inf, busy=1)  # the search looks at the memory that there is
    space = space_for([n for n in names if n not in overridden(server)], values=values, room=room)
    return space.texts(space.first_guess())


def risk_of(texts: dict[str, str]) -> Risk:
    """The risk of a change of several settings: that of the riskiest."""
    medium = any(KNOBS[name].risk is Risk.MEDIUM for name in texts)
    return Risk.MEDIUM if medium else Risk.LOW


RULE = Remedy(
    id=REMEDY,
    layer=Layer.DATABASE,
    answers=("untuned-settings", "temp-spill"),
    scope=Scope.COMPREHENSIVE,
    propose=propose,
    why="Memory that sorts need, costs that pages really have, no work that does not pay; for one "
    "role, so that nothing else on the server changes.",
)
