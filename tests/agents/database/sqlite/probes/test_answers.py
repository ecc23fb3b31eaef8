"""Answers of two arms compared."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from perfwright.agents.database.answers import TooSlowError, digest
from perfwright.agents.database.artifacts import Access, Sample
from perfwright.agents.database.examples import read
from perfwright.agents.database.sqlite.probes.answers import answer_of, differs

ROWS = """
create table t(id integer primary key, a, b);
insert into t values (1, 1, 'x'), (2, 1, 'y'), (3, 2, 'z');
"""


@pytest.fixture
def arms() -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    with closing(sqlite3.connect(":memory:")) as a, closing(sqlite3.connect(":memory:")) as b:
        for arm in (a, b):
            arm.executescript(ROWS)
        yield a, b


def compare(
    arms: tuple[sqlite3.Connection, sqlite3.Connection], sql: str, *, ordered: bool = False
) -> str | None:
    observation = replace(read(Access(table="t")), ordered=ordered)
    return differs(*arms, observation=observation, sample=Sample(sql=sql), limit_s=5.0)


def test_rows_in_another_order_are_the_same(
    arms: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    arms[1].execute("create index i on t(b desc)")
    assert compare(arms, "select b from t") is None


def test_an_order_that_is_fixed_is_compared(
    arms: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    arms[1].executescript("update t set b = case id when 1 then 'y' when 2 then 'x' else b end")
    assert compare(arms, "select b from t order by id", ordered=True) is not None
    assert compare(arms, "select b from t order by id") is None


def test_other_rows_differ(arms: tuple[sqlite3.Connection, sqlite3.Connection]) -> None:
    arms[1].execute("update t set b = 'changed' where id = 2")
    assert compare(arms, "select b from t") is not None


def test_ties_that_a_limit_cuts_through_are_no_difference(
    arms: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    arms[1].execute("create index i on t(a, b desc)")
    assert compare(arms, "select b from t order by a limit 1") is None


def test_a_random_answer_says_nothing(
    arms: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    assert compare(arms, "select random()") is None


def test_sums_of_floats_may_differ_in_the_last_digits(
    arms: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    first, second = arms
    one = answer_of(first, Sample(sql="select 0.1 + 0.2"), limit_s=5.0)
    other = answer_of(second, Sample(sql="select 0.3"), limit_s=5.0)
    assert one != other
    assert digest(one, ordered=False) == digest(other, ordered=False)


def test_an_endless_statement_is_stopped(
    arms: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    sql = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
    with pytest.raises(TooSlowError):
        answer_of(arms[0], Sample(sql=sql), limit_s=0.05)
