"""Which indexes are proposed to be dropped together."""

from __future__ import annotations

from perfwright.agents.database.artifacts import Access
from perfwright.agents.database.detectors.duplicate_index import find as duplicates
from perfwright.agents.database.detectors.unused_index import find as unused
from perfwright.agents.database.examples import artifacts, index, read
from perfwright.agents.database.remedies.index_removal import propose


def test_an_index_that_another_removal_relies_on_stays() -> None:
    seen = artifacts(
        read(Access(table="orders")), indexes=(index("a", "placed"), index("b", "placed"))
    )
    findings = (*duplicates(seen), *unused(seen))
    assert {finding.subject for finding in findings} == {"a", "b"}
    dropped = {proposal.change.subject for proposal in propose(seen, findings)}
    assert len(dropped) == 1
