"""Every kind of design on a real server, under names that need quotes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.design import (
    DesignKey,
    Method,
    creation,
    design_on,
    removal,
)
from perfwright.agents.database.existing import exists
from perfwright.agents.database.naming import quote
from perfwright.agents.database.postgresql.probes.catalog import read_catalog
from perfwright.agents.database.postgresql.probes.connection import open_target
from perfwright.core import ChangeSpec, parse_target
from perfwright.experiments.changes import PostgresChange
from tests.postgresql import connected, new_database

SCHEMA = (
    'CREATE SCHEMA "My ""Shop"""',
    "CREATE EXTENSION pg_trgm",
    '''CREATE TABLE "My ""Shop"""."Tic ket" (
        id bigint PRIMARY KEY, "Org" int, "st ate" varchar(20), "At" timestamptz, title text,
        "Data" jsonb, tags text[], "select" tsvector, done boolean)''',
    '''INSERT INTO "My ""Shop"""."Tic ket"
        SELECT i, i % 50, CASE WHEN i % 9 = 0 THEN 'open' ELSE 'shut' END, now(), 'title ' || i,
            '{"a": 1}', '{x,y}', to_tsvector('simple', 'w' || i), i % 3 = 0
        FROM generate_series(1, 5000) i''',
    "CREATE TABLE part (id int, at date, org int) PARTITION BY RANGE (at)",
    "CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
    """CREATE TABLE "Part 2" PARTITION OF part FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
        PARTITION BY RANGE (at)""",
    """CREATE TABLE part_21 PARTITION OF "Part 2"
        FOR VALUES FROM ('2025-01-01') TO ('2025-06-01')""",
    "ANALYZE",
)
TICKET = 'My "Shop".Tic ket'


@pytest.fixture(scope="module")
def url(server: PrivateServer) -> Iterator[str]:
    with new_database(server, *SCHEMA) as made:
        yield made


def catalog_of(url: str) -> Catalog:
    with open_target(parse_target(url)) as connection:
        return read_catalog(connection)


def column(
    name: str, *, descending: bool = False, nulls: str = "", operator_class: str = ""
) -> DesignKey:
    return DesignKey(
        text=quote(name),
        column=name,
        descending=descending,
        nulls=nulls,
        operator_class=operator_class,
    )


def expression(text: str, operator_class: str = "") -> DesignKey:
    return DesignKey(text=text, column=None, operator_class=operator_class)


def change_of(url: str, spec: ChangeSpec) -> PostgresChange:
    return PostgresChange(url=url, spec=spec)


def made(url: str, *keys: DesignKey, method: Method = "btree", **more: tuple[str, ...]) -> bool:
    """Make an index, look whether it is known afterwards, and take it back."""
    before = catalog_of(url)
    table = before.table(TICKET)
    assert table is not None
    design = design_on(table, keys, method=method, **more)
    assert not exists(design, before)
    change = change_of(url, creation((design,), before))
    change.apply()
    after = catalog_of(url)
    change.revert()
    assert catalog_of(url).indexes == before.indexes
    return exists(design, after)


@pytest.mark.parametrize(
    "keys",
    [
        (column("Org"),),
        (column("Org"), column("At", descending=True), column("id")),
        (column("At", descending=True, nulls="LAST"), column("title", nulls="FIRST")),
        (column("st ate"), column("select")),
        (column("title", operator_class="text_pattern_ops"),),
        (column("st ate", operator_class="varchar_pattern_ops"),),
        (DesignKey(text="title", column="title", collation="C"),),
        (expression("lower(title)"), column("Org")),
        (expression('lower("st ate")', "text_pattern_ops"),),
        (expression("\"Data\" ->> 'a'"),),
        (expression("(\"Data\" ->> 'a')::int"),),
        (expression("\"At\" AT TIME ZONE 'UTC'"),),
        (expression("coalesce(title, 'x') || ' ' || coalesce(\"st ate\", 'y')"),),
        (expression("date_trunc('day', \"At\" AT TIME ZONE 'UTC')"),),
    ],
    ids=lambda keys: " ".join(key.described for key in keys),
)
def test_a_tree_is_known_once_it_is_made(url: str, keys: tuple[DesignKey, ...]) -> None:
    assert made(url, *keys)


def test_carried_columns_are_known(url: str) -> None:
    assert made(url, column("Org"), included=("At", "st ate"))


@pytest.mark.parametrize(
    "conditions",
    [
        ("\"st ate\" = 'open'",),
        ("\"st ate\" = 'open'", "done"),
        ("\"st ate\" IN ('open', 'new')",),
        ("\"st ate\" <> 'shut'",),
        ("\"st ate\" NOT IN ('open', 'new')",),
        ("NOT done",),
        ("done = true",),
        ('"Org" IS NOT NULL',),
        ('"Org" BETWEEN 1 AND 7',),
        ('"Org" > 3 OR done',),
        ("title LIKE 'a%'",),
        ("\"Data\" ->> 'a' = 'x'",),
        ("lower(title) = 'x'",),
    ],
    ids=" and ".join,
)
def test_a_condition_is_known_in_other_words(url: str, conditions: tuple[str, ...]) -> None:
    assert made(url, column("At"), where=conditions)


@pytest.mark.parametrize(
    "keys",
    [
        (column("title", operator_class="gin_trgm_ops"),),
        (column("st ate", operator_class="gin_trgm_ops"),),
        (
            expression("lower(title)", "gin_trgm_ops"),
            column("title", operator_class="gin_trgm_ops"),
        ),
        (column("Data", operator_class="jsonb_path_ops"),),
        (column("Data"),),
        (expression("\"Data\" -> 'a'", "jsonb_path_ops"),),
        (column("tags"),),
        (column("select"),),
        (expression("to_tsvector('english', title)"),),
    ],
    ids=lambda keys: " ".join(key.described for key in keys),
)
def test_an_inverted_index_is_known(url: str, keys: tuple[DesignKey, ...]) -> None:
    assert made(url, *keys, method="gin")


def test_a_block_range_index_is_known(url: str) -> None:
    assert made(url, column("At"), method="brin")


def test_an_expression_gets_its_statistics(url: str) -> None:
    before = catalog_of(url)
    table = before.table(TICKET)
    assert table is not None
    change = change_of(url, creation((design_on(table, (expression("lower(title)"),)),), before))
    change.apply()
    with connected(url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stats WHERE tablename = %s", (change.spec.subject,)
        ).fetchone()
    change.revert()
    assert found == (1,)


def test_a_dropped_index_comes_back_as_it_was(url: str) -> None:
    catalog = catalog_of(url)
    table = catalog.table(TICKET)
    assert table is not None
    first = change_of(
        url,
        creation((design_on(table, (column("At", descending=True),), where=("done",)),), catalog),
    )
    first.apply()
    before = catalog_of(url)
    index = before.index(first.spec.subject) or next(
        i for i in before.indexes if i.bare_name == first.spec.subject
    )
    change = change_of(url, removal(index, before, reason="idle"))
    change.apply()
    assert index.sql not in {i.sql for i in catalog_of(url).indexes}
    change.revert()
    assert {i.sql for i in catalog_of(url).indexes} == {i.sql for i in before.indexes}
    first.revert()


def test_a_partitioned_table_gets_a_valid_index(url: str) -> None:
    before = catalog_of(url)
    table = before.table("part")
    assert table is not None
    design = design_on(table, (column("org"),))
    change = change_of(url, creation((design,), before))
    change.apply()
    after = catalog_of(url)
    change.apply()
    again = catalog_of(url)
    change.revert()
    new = [i for i in after.indexes if i.bare_name.startswith("pw_")]
    assert len(new) == 4
    assert all(index.valid for index in new)
    assert exists(design, after)
    assert again.indexes == after.indexes
    assert catalog_of(url).indexes == before.indexes
