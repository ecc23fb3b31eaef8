"""Rows of PostgreSQL taken out of the way of a recorded insert."""

from __future__ import annotations

import pytest

from perfwright.agents.database.artifacts import Parameters, Sample
from perfwright.agents.database.catalog import Catalog, Column, Index, IndexKey, Table
from perfwright.agents.database.room import room_for

TABLE = Table(
    name="app.person",
    schema="app",
    bare_name="person",
    columns=(
        Column(name="id", type="bigint", key_position=1),
        Column(name="mail", type="text"),
        Column(name="team", type="integer"),
        Column(name="place", type="integer"),
        Column(name="live", type="boolean"),
    ),
)
CATALOG = Catalog(
    dialect="postgres",
    tables=(TABLE,),
    indexes=(
        Index(name="pkey", table="app.person", keys=(IndexKey(column="id"),), unique=True),
        Index(
            name="mail",
            table="app.person",
            keys=(IndexKey(column=None, text="lower(mail)"),),
            unique=True,
        ),
        Index(
            name="place",
            table="app.person",
            keys=(IndexKey(column="team"), IndexKey(column="place")),
            unique=True,
            partial=True,
            where="live",
        ),
        Index(name="team", table="app.person", keys=(IndexKey(column="team"),)),
    ),
)
PERSON = 'DELETE FROM "app"."person" WHERE '


@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("insert into app.person (id) values (1)", None, ['"id" IN (1)']),
        ("insert into app.person (id) values (1), (-2), (1)", None, ['"id" IN (1, -2)']),
        ("insert into app.person (id) values ($1) returning id", (7,), ['"id" IN (7)']),
        ("insert into app.person (live, id) values ($2, $1)", (7, True), ['"id" IN (7)']),
        ("insert into app.person (id) values (%s), (%s)", (7, 8), ['"id" IN (7, 8)']),
        ("insert into app.person (id) values (%(i)s)", {"i": 7}, ['"id" IN (7)']),
        (
            "insert into app.person (id) values ('1'::bigint)",
            None,
            ["\"id\" IN (CAST('1' AS BIGINT))"],
        ),
        (
            "insert into app.person values (1, 'A''b', 2, 3, true), (2, null, 4, null, false)",
            None,
            [
                '"id" IN (1, 2)',
                "(lower(mail)) IN (LOWER(CAST('A''b' AS TEXT)))",
                '("team", "place") IN ((2, 3)) AND (live)',
            ],
        ),
        (
            "with x as (insert into app.person (id) values (5) returning id) select * from x",
            None,
            ['"id" IN (5)'],
        ),
        ("insert into app.person (mail) values (default)", None, []),
        ("insert into app.person (id) values (1) on conflict do nothing", None, []),
        ("insert into app.person (id) values (nextval('s'))", None, []),
        ("insert into app.person (id) values ($1)", (), []),
        ("insert into app.person (id) select 1", None, []),
        ("insert into app.person default values", None, []),
        ("insert into person (id) values (1)", None, []),
        ("update app.person set id = 1", None, []),
        ("insert into app.person values (((", None, []),
    ],
)
def test_only_rows_with_the_same_key_go(
    sql: str, parameters: Parameters, expected: list[str]
) -> None:
    found = room_for(Sample(sql=sql, parameters=parameters), CATALOG)
    assert list(found) == [f"{PERSON}{condition}" for condition in expected]
