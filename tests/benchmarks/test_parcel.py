"""The data set `parcel` keeps what it promises to the judge."""

from __future__ import annotations

import importlib
import itertools
import random
import re
from types import ModuleType
from typing import Any

import pytest

from tests.benchmarks.conftest import BENCHMARKS


@pytest.fixture
def parcel(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS / "datasets")
    return importlib.import_module("parcel")


def first(module: ModuleType, table: str, count: int = 2_000) -> list[tuple[Any, ...]]:
    return list(itertools.islice(module.rows(table), count))


def test_the_same_rows_are_made_each_time(parcel: ModuleType) -> None:
    for table in parcel.TABLES:
        assert first(parcel, table) == first(parcel, table)


def test_keys_are_unique(parcel: ModuleType) -> None:
    for table in parcel.TABLES:
        keys = [row[0] for row in parcel.rows(table)]
        assert len(set(keys)) == len(keys), table


def test_every_placeholder_has_a_value(parcel: ModuleType) -> None:
    rng = random.Random(1)
    for template in parcel.TEMPLATES:
        if "many" in template:
            continue
        sql = template["sql"]
        named = set(re.findall(r"%\((\w+)\)s", sql if isinstance(sql, str) else " ".join(sql)))
        values = template["params"](rng) if template["params"] else {}
        assert named == set(values), template["name"]


def test_rows_inserted_in_bulk_have_as_many_values_as_columns(parcel: ModuleType) -> None:
    rng = random.Random(1)
    for template in parcel.TEMPLATES:
        if "many" in template:
            columns = template["many"].count(",") + 1
            assert {len(row) for row in template["params"](rng)} == {columns}


def test_every_planted_index_exists(parcel: ModuleType) -> None:
    planted = {*itertools.chain(*parcel.RULES["drop_any"]), *parcel.RULES["protected"]}
    assert planted <= set(re.findall(r"index (\w+) on", parcel.POST_DDL))


def test_the_expert_leaves_the_protected_ones(parcel: ModuleType) -> None:
    script = (BENCHMARKS / "datasets" / "expert.parcel.pg.sql").read_text()
    dropped = set(re.findall(r"drop index concurrently (\w+)", script))
    assert dropped
    assert not dropped & set(parcel.RULES["protected"])


def test_the_workload_does_not_touch_what_it_deletes(parcel: ModuleType) -> None:
    rng = random.Random(1)
    assert min(parcel.recent(rng) for _ in range(20_000)) >= parcel.PURGED
