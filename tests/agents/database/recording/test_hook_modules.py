from __future__ import annotations

import ast
import datetime as dt
import json
import math
import os
import sqlite3
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.agents.database import recording
from perfwright.agents.database.recording.hook._perfwright_recorder import guard, output
from perfwright.agents.database.recording.hook._perfwright_recorder.encoding import (
    MAX_BLOB_BYTES,
    MAX_TEXT_LETTERS,
    encode_parameters,
)
from perfwright.agents.database.recording.hook._perfwright_recorder.naming import name_database
from perfwright.agents.database.recording.hook._perfwright_recorder.recorder import (
    MAX_OPEN,
    Batch,
    Recorder,
    split_script,
)
from perfwright.agents.database.recording.rewriting import write_out_blobs

HOOK = Path(recording.__file__).with_name("hook")
SOURCES = sorted(HOOK.rglob("*.py"))


class Colour(IntEnum):
    RED = 4


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __conform__(self, protocol: object) -> str | None:
        return f"{self.cents} cents" if protocol is sqlite3.PrepareProtocol else None


def encoded(*values: object) -> list[Any]:
    document: list[Any] = json.loads(encode_parameters("", values))
    return document


def make_recorder(folder: Path, **more: str) -> Recorder:
    settings = {"DIR": str(folder), "LIMIT": "100", "VALUES": "1", **more}
    return Recorder({f"PERFWRIGHT_RECORD_{name}": value for name, value in settings.items()})


def written(folder: Path) -> list[dict[str, Any]]:
    text = "".join(path.read_text() for path in sorted(folder.glob("*.jsonl")))
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(HOOK)))
def test_the_hook_is_written_in_python_3_8(source: Path) -> None:
    tree = ast.parse(source.read_text(), feature_version=(3, 8))
    assert tree.body


def test_the_hook_imports_nothing_of_perfwright() -> None:
    nodes = [node for source in SOURCES for node in ast.walk(ast.parse(source.read_text()))]
    imported = {
        alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {str(n.module) for n in nodes if isinstance(n, ast.ImportFrom) and n.level == 0}
    assert not [name for name in imported if name.startswith("perfwright")]


plain = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary() | st.floats()


@given(st.lists(plain, min_size=1, max_size=5))
def test_a_recorded_execution_binds_what_the_program_bound(values: list[Any]) -> None:
    try:
        "".join(value for value in values if isinstance(value, str)).encode()
    except UnicodeEncodeError:
        return  # sqlite3 refuses half characters, so the program never gets this far
    sql = "SELECT " + ", ".join(["typeof(?), quote(?)"] * len(values))
    doubled = [value for value in values for _ in range(2)]
    again, parameters = write_out_blobs(sql, json.loads(encode_parameters(sql, doubled)))
    connection = sqlite3.connect(":memory:")
    try:
        before = connection.execute(sql, doubled).fetchone()
        after = connection.execute(again, parameters).fetchone()
    finally:
        connection.close()
    assert after == before


def test_dates_are_written_as_the_standard_adapters_store_them() -> None:
    stamp = dt.datetime(2024, 5, 6, 7, 8, 9)  # noqa: DTZ001 - as programs have them
    assert encoded(stamp, stamp.date()) == ["2024-05-06 07:08:09", "2024-05-06"]


def test_values_that_adapt_themselves_are_written_adapted() -> None:
    assert encoded(Money(250)) == ["250 cents"]


def test_subclasses_are_written_as_what_they_derive_from() -> None:
    assert encoded(True, Colour.RED) == [1, 4]


def test_what_sqlite_cannot_store_is_written_as_text() -> None:
    assert encoded(3 + 4j) == ["(3+4j)"]


def test_infinity_is_a_number_that_json_has() -> None:
    assert encode_parameters("", (math.inf, -math.inf)) == "[1e999, -1e999]"


def test_a_long_blob_is_written_as_its_size() -> None:
    assert encoded(bytes(MAX_BLOB_BYTES + 1)) == [{"$blob_bytes": MAX_BLOB_BYTES + 1}]


def test_a_long_text_is_cut() -> None:
    assert len(encoded("x" * (MAX_TEXT_LETTERS + 1))[0]) == MAX_TEXT_LETTERS


def test_only_parameters_that_the_statement_names_are_written() -> None:
    text = encode_parameters("SELECT :a, @b, ':c'", {"a": 1, "b": 2, "password": "x"})
    assert json.loads(text) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("database", "uri", "name"),
    [
        (":memory:", False, ":memory:"),
        ("", False, ":temporary:"),
        ("shop.db", False, "{cwd}/shop.db"),
        (b"bytes.db", False, "{cwd}/bytes.db"),
        (Path("sub/../shop.db"), False, "{cwd}/shop.db"),
        ("file:shop.db?mode=ro", True, "{cwd}/shop.db"),
        ("file:/data/my%20shop.db", True, "/data/my shop.db"),
        ("file:///data/shop.db#x", True, "/data/shop.db"),
        ("file:shared?mode=memory&cache=shared", True, ":memory:"),
        ("file::memory:?cache=shared", True, ":memory:"),
        ("file:shop.db", False, "{cwd}/file:shop.db"),
    ],
)
def test_databases_are_named_by_their_real_path(database: Any, uri: bool, name: str) -> None:
    expected = name.format(cwd=Path.cwd().resolve())
    assert name_database((database,), {"uri": uri}) == expected


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        ("a; b", ["a;", "b"]),
        ("a;;\n ;b;\n", ["a;", "b;"]),
        ("insert into t values (';');", ["insert into t values (';');"]),
        (
            "create trigger g after insert on t begin delete from t; end; select 1",
            ["create trigger g after insert on t begin delete from t; end;", "select 1"],
        ),
        ("", []),
    ],
)
def test_scripts_are_split_at_the_ends_of_statements(script: str, statements: list[str]) -> None:
    assert list(split_script(script)) == statements


def test_rows_of_a_batch_are_kept_as_they_were_when_they_passed() -> None:
    row = [0]

    def reused() -> Any:
        for row[0] in range(3):
            yield row

    batch = Batch()
    list(batch.watch(("INSERT", reused()))[1])
    assert batch.rows == [[0], [1], [2]]


def test_a_limit_stops_the_lines(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path, LIMIT="2")
    for _ in range(5):
        entry = recorder.open("/x.db", ("SELECT 1",), 0.001)
        if entry is not None:
            recorder.finish(entry)
    recorder.close()
    assert len(written(tmp_path)) == 2


def test_cursors_that_stay_open_do_not_pile_up(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path, LIMIT="5000")
    for _ in range(MAX_OPEN + 7):
        recorder.open("/x.db", ("SELECT 1",), 0.001)
    assert len(written(tmp_path)) == 7


def test_a_file_that_took_over_our_descriptor_is_left_alone(tmp_path: Path) -> None:
    recorded = tmp_path / "recorded"
    recorded.mkdir()
    target = output.Output(str(recorded))
    target.write("one\n")
    program_file = tmp_path / "program.txt"
    descriptor = os.open(program_file, os.O_WRONLY | os.O_CREAT)
    os.dup2(descriptor, target._descriptor)
    target.write("two\n")
    os.close(descriptor)
    assert program_file.read_text() == ""
    assert sorted(path.read_text() for path in recorded.iterdir()) == ["one\n", "two\n"]


def test_an_error_of_the_recorder_is_reported_instead_of_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERFWRIGHT_RECORD_DIR", str(tmp_path))
    assert guard.quietly(lambda: 1 / 0) is None
    assert "ZeroDivisionError" in (tmp_path / "errors").read_text()


def test_an_error_that_cannot_be_reported_is_not_raised_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERFWRIGHT_RECORD_DIR", str(tmp_path / "gone"))
    assert guard.quietly(lambda: 1 / 0) is None
