"""Recorded updates repeated with each other's values."""

from __future__ import annotations

from perfwright.agents.database.artifacts import Sample, Shape
from perfwright.agents.database.postgresql.settling import settling_statements


def shape(*statements: str, write: bool = True) -> Shape:
    return Shape(
        id="s",
        text="",
        template="",
        write=write,
        calls=len(statements),
        recorded_ms=None,
        samples=tuple(Sample(sql=sql) for sql in statements),
    )


def test_each_row_gets_the_values_of_another_execution() -> None:
    updates = shape("update t set a = 1 where id = 10", "update t set a = 2 where id = 20")
    assert list(settling_statements((updates,))) == [
        "UPDATE t SET a = 2 WHERE id = 10",
        "UPDATE t SET a = 1 WHERE id = 20",
    ]


def test_a_single_execution_keeps_its_values() -> None:
    alone = shape("update t set a = a + 1 where id = 10")
    assert list(settling_statements((alone,))) == ["UPDATE t SET a = a + 1 WHERE id = 10"]


def test_inserts_deletes_and_reads_are_left_alone() -> None:
    others = (
        shape("insert into t values (1)"),
        shape("delete from t where id = 1"),
        shape("select 1 from t", write=False),
    )
    assert list(settling_statements(others)) == []


def test_what_does_not_parse_is_passed_over() -> None:
    assert list(settling_statements((shape("update t set set set"),))) == []
