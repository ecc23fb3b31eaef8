"""Workload files, good and bad."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perfwright.agents.database.workload import load_workload
from perfwright.core import ConfigError


def load(tmp_path: Path, text: str, *, name: str = "w.jsonl") -> object:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return load_workload(path)


def test_a_script_is_cut_into_statements(tmp_path: Path) -> None:
    path = tmp_path / "w.sql"
    path.write_text("select 1; select 2;\ninsert into t values (';');", encoding="utf-8")
    assert load_workload(path).executions == 3


def test_counts_and_times_are_added_up(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    lines = [{"sql": "select 1", "ms": 2.0, "count": 3}, {"sql": "select 2", "ms": 4}]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (shape,) = load_workload(path).shapes
    assert (shape.calls, shape.recorded_ms) == (4, 10.0)


def test_parameters_are_kept_with_their_statement(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    path.write_text('{"sql": "select :a", "params": {":a": 1}}\n', encoding="utf-8")
    (shape,) = load_workload(path).shapes
    assert shape.samples[0].parameters == {"a": 1}


def test_a_bad_line_is_told_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    path.write_text('{"sql": "select 1"}\n{oops\n{"sql": "select 2"}\n', encoding="utf-8")
    workload = load_workload(path)
    assert workload.executions == 2
    assert "line 2" in workload.notes[0]


def test_what_is_no_sql_is_told_from_what_touches_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "w.sql"
    path.write_text("select 1; SELEC broken; BEGIN; nonsense; ; COMMIT", encoding="utf-8")
    assert load_workload(path).notes == (
        "workload: 2 statements left out that SQLite cannot read, such as: SELEC broken",
        "workload: 2 statements left out as touching no rows, such as: BEGIN",
    )


def test_a_lone_comment_is_no_broken_statement(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    path.write_text('{"sql": "select 1"}\n{"sql": "-- shop"}', encoding="utf-8")
    (note,) = load_workload(path).notes
    assert note == "workload: 1 statement left out as touching no rows, such as: a comment"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("{\n", "line 1"),
        ('{"query": "select 1"}', 'has no "sql" text'),
        ('{"sql": "select 1", "ms": "fast"}', '"ms" is not a number'),
        ('{"sql": "select 1", "params": [[1]]}', '"params" is neither'),
        ('{"sql": "pragma x"}', "holds no SELECT"),
        ('{"sql": "selec x"}', "holds 1 statement that SQLite cannot read, such as: selec x"),
    ],
)
def test_a_file_of_no_use_is_refused_with_the_reason(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        load(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_workload(tmp_path / "none.jsonl")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_workload(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_workload(tmp_path)
