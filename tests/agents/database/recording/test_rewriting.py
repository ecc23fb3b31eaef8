from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from perfwright.agents.database.recording.rewriting import hide_values, write_out_blobs


def ask(sql: str, values: Sequence[object] | Mapping[str, object]) -> Any:
    connection = sqlite3.connect(":memory:")
    try:
        return connection.execute(sql, values).fetchone()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("sql", "sent", "written"),
    [
        ("SELECT quote(?), quote(?)", (b"\x00a", 7), [{"$blob": "0061"}, 7]),
        ("SELECT quote(?), quote(?)", (7, b"\x00a"), [7, {"$blob": "0061"}]),
        ("SELECT quote(?2), quote(?1), ?2", (b"", 5), [{"$blob": ""}, 5]),
        ("SELECT quote(?2), ?1, ?3", (3, b"k", 5), [3, {"$blob": "6b"}, 5]),
        ("SELECT '?', quote(?) -- ?", (b"k",), [{"$blob": "6b"}]),
        ("SELECT quote(:a), :b, ':a'", {"a": b"k", "b": 2}, {"a": {"$blob": "6b"}, "b": 2}),
    ],
)
def test_a_statement_with_its_blobs_written_out_gives_the_same_answer(
    sql: str, sent: Any, written: Any
) -> None:
    assert ask(*write_out_blobs(sql, written)) == ask(sql, sent)


def test_a_long_blob_keeps_its_size() -> None:
    sql, values = write_out_blobs("SELECT length(?), typeof(?)", [{"$blob_bytes": 9_000}, 1])
    assert ask(sql, values) == (9_000, "integer")


def test_hidden_literals_leave_names_and_parameters() -> None:
    sql = "SELECT \"name\", x'00' FROM t WHERE a = 'Ann' AND b > 4.5 AND c = :c"
    assert hide_values(sql) == 'SELECT "name", ? FROM t WHERE a = ? AND b > ? AND c = :c'
