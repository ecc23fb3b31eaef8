"""Rows taken out of the way of a recorded insert."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfwright.agents.database.artifacts import Parameters, Sample
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.room import room_for
from tests.agents.database.sqlite_databases import catalog_of, make_shop


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    extra = "create unique index u on customer(name);"
    return catalog_of(make_shop(Path(tmp_path_factory.mktemp("shop")) / "shop.db", extra=extra))


@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("insert into log values (5, 'k', 'b')", None, ['DELETE FROM "log" WHERE "id" = 5']),
        (
            "insert into log(body, id) values (?, ?)",
            ("b", -5),
            ['DELETE FROM "log" WHERE "id" = -5'],
        ),
        ("insert into log(id) values (:i)", {"i": 7}, ['DELETE FROM "log" WHERE "id" = 7']),
        ("insert into log(kind) values ('k')", None, []),
        ("insert into log values (null, 'k', 'b')", None, []),
        ("insert into log select 1, 2, 3", None, []),
        ("update log set id = 3", None, []),
        ("insert into nosuch values (1)", None, []),
        ("insert into log values (...)", None, []),
        (
            "insert into customer(name, id) values ('O''Neil', 3)",
            None,
            [
                'DELETE FROM "customer" WHERE "id" = 3',
                "DELETE FROM \"customer\" WHERE \"name\" = 'O''Neil'",
            ],
        ),
        (
            "insert into line values (1, 2, 'x'), (3, 4, 'y')",
            None,
            [
                'DELETE FROM "line" WHERE "order_id" = 1 AND "pos" = 2',
                'DELETE FROM "line" WHERE "order_id" = 3 AND "pos" = 4',
            ],
        ),
    ],
)
def test_only_rows_with_the_same_key_go(
    catalog: Catalog, sql: str, parameters: Parameters, expected: list[str]
) -> None:
    assert list(room_for(Sample(sql=sql, parameters=parameters), catalog)) == expected
