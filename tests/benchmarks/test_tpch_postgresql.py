"""How timed queries are laid out, and what a query over the limit costs."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def tpch() -> ModuleType:
    return importlib.import_module("tpch_postgresql")


def taken(tpch: ModuleType, before: list[float | None]) -> dict[str, dict[int, list[float | None]]]:
    """All queries take a second with the advice, and without; the first takes `before`."""
    numbers = range(1, 23)
    return {
        tpch.TARGET: {number: before if number == 1 else [1.0] for number in numbers},
        tpch.JUDGED: {number: [1.0] for number in numbers},
    }


def test_a_query_over_the_limit_is_charged_the_limit(tpch: ModuleType) -> None:
    lines = tpch._table(taken(tpch, [None]), limit_s=20.0).splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:5]] == ["Q1", "> 20", "1.000", "0.05"]
    assert lines[-1].split("|")[2].strip() == "41.00"


def test_the_middle_of_the_rounds_counts(tpch: ModuleType) -> None:
    lines = tpch._table(taken(tpch, [4.0, 2.0, 90.0]), limit_s=100.0).splitlines()
    assert lines[2].split("|")[2].strip() == "4.000"


def test_comments_of_an_advice_are_not_run(tpch: ModuleType) -> None:
    path = Path("advice.sql")
    path.write_text("-- what; was measured\ncreate index on a(b);\n")
    assert tpch._uncommented(path) == "create index on a(b);"
