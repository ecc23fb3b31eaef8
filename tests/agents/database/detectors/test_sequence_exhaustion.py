"""Sequences at their end."""

from __future__ import annotations

from perfwright.agents.database.detectors.sequence_exhaustion import find
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import SequenceUse, ServerState


def found(sequence: SequenceUse) -> list[str]:
    return [f.subject for f in find(looked_at(ServerState(sequences=(sequence,))))]


def test_one_that_begins_again_never_ends() -> None:
    assert found(SequenceUse(name="s", last=99, limit=100, cycles=True)) == []


def test_one_that_feeds_no_column_is_named_itself() -> None:
    assert found(SequenceUse(name="s", last=99, limit=100)) == ["s"]


def test_the_column_is_named_where_there_is_one() -> None:
    assert found(SequenceUse(name="s", last=99, limit=100, table="t", column="id")) == ["t.id"]


def test_half_a_life_is_enough() -> None:
    assert found(SequenceUse(name="s", last=50, limit=100)) == []
