from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from perfwright.agents.database.recording.merging import Merger

DATABASE = "/data/shop.db"


def line(sql: str, params: Any = (), **more: Any) -> str:
    return json.dumps({"sql": sql, "params": params, "ms": 1.5, "db": DATABASE, **more}) + "\n"


def merged(*texts: str, limit: int = 100, with_values: bool = True) -> tuple[Merger, list[Any]]:
    files = [Path(f"{number}.jsonl") for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    merger = Merger(limit=limit, with_values=with_values)
    return merger, [json.loads(entry) for entry in merger.lines(files)]


def test_the_lines_of_all_processes_follow_each_other() -> None:
    _, entries = merged(line("SELECT 1"), line("SELECT 2"))
    assert [entry["sql"] for entry in entries] == ["SELECT 1", "SELECT 2"]


def test_a_line_that_a_kill_cut_short_costs_no_other() -> None:
    merger, entries = merged(line("SELECT 1") + line("SELECT 2")[:20], line("SELECT 3"))
    assert [entry["sql"] for entry in entries] == ["SELECT 1", "SELECT 3"]
    assert merger.torn == 1


def test_of_the_counts_of_a_process_the_last_holds() -> None:
    merger, _ = merged("!failed 1\n!failed 2\n", "!failed 4\n")
    assert merger.tallies["failed"] == 6


def test_the_limit_holds_for_all_processes_together() -> None:
    merger, entries = merged(line("SELECT 1") * 3, line("SELECT 2") * 3, limit=4)
    assert len(entries) == 4
    assert merger.tallies["over"] == 2


def test_rows_of_a_batch_that_have_no_line_are_counted() -> None:
    merger, _ = merged(line("INSERT INTO t VALUES (?)", [1], count=50))
    assert merger.statements == 50
    assert merger.databases == {DATABASE: 50}


def test_statements_that_differ_in_values_are_one_shape() -> None:
    merger, _ = merged("".join(line(f"SELECT a FROM t WHERE b = {n}") for n in range(9)))
    assert merger.count_shapes() == (1, True)


def test_blobs_are_part_of_the_statement() -> None:
    _, entries = merged(line("SELECT ?, ?", [{"$blob": "00ff"}, 3]))
    assert entries[0]["sql"] == "SELECT x'00ff', ?1"
    assert entries[0]["params"] == [3]


def test_without_values_neither_parameters_nor_literals_are_kept() -> None:
    _, entries = merged(line("SELECT ? WHERE 'Ann' = 7", [1]), with_values=False)
    assert entries == [{"sql": "SELECT ? WHERE ? = ?", "ms": 1.5, "db": DATABASE}]
