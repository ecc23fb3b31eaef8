"""The planner takes what is proposed: the words of a design are those that it looks for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.access import analyse
from perfwright.agents.database.artifacts import Sample, Shape
from perfwright.agents.database.candidates import branch_designs, candidates
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.design import IndexDesign, creation
from perfwright.agents.database.knowledge import Knowledge
from perfwright.agents.database.postgresql.probes.catalog import read_catalog
from perfwright.agents.database.postgresql.probes.connection import open_target
from perfwright.agents.database.postgresql.probes.plans import read_plan
from perfwright.core import parse_target
from tests.postgresql import connected, new_database, run

SCHEMA = (
    "CREATE EXTENSION pg_trgm",
    """CREATE TABLE deed (
        id bigint PRIMARY KEY, town int NOT NULL, kind varchar(20), at timestamp, due date,
        owner text, note text, parent bigint, data jsonb, tags text[], open boolean)""",
    """INSERT INTO deed
        SELECT i, i % 200, CASE WHEN i % 50 = 0 THEN 'rare' ELSE 'usual' END,
            timestamp '2024-01-01' + i * interval '7 minutes', date '2024-01-01' + i % 700,
            'Owner ' || i % 3000, md5(i::text) || ' ' || md5((i * 7)::text),
            CASE WHEN i % 20 = 0 THEN i / 20 END,
            jsonb_build_object('n', i % 900, 'k' || i % 50, 1),
            ARRAY['t' || i % 400, 'all'], i % 40 = 0
        FROM generate_series(1, 60000) i""",
    'CREATE TABLE "Town" ("Id" int PRIMARY KEY, "Name" text)',
    """INSERT INTO "Town" SELECT i, 'Town ' || i FROM generate_series(0, 20000) i""",
)


@pytest.fixture(scope="module")
def url(server: PrivateServer) -> Iterator[str]:
    with new_database(server, *SCHEMA) as made:
        run(made, "VACUUM ANALYZE")
        yield made


@pytest.fixture(scope="module")
def catalog(url: str) -> Catalog:
    with open_target(parse_target(url)) as connection:
        return read_catalog(connection)


def designs(sql: str, catalog: Catalog) -> dict[str, IndexDesign]:
    """All that could serve a statement, by description without spaces."""
    shape = Shape(
        id="s",
        text=sql,
        template=sql,
        write=False,
        calls=100,
        recorded_ms=None,
        samples=(Sample(sql=sql),),
    )
    analysis = analyse(shape, catalog)
    assert analysis.problem is None
    knowledge = Knowledge(catalog=catalog)
    found = [c.design for access in analysis.accesses for c in candidates(access, knowledge)]
    found += [d for access in analysis.accesses for d in branch_designs(access, knowledge)]
    return {design.described().replace(" ", ""): design for design in found}


@pytest.mark.parametrize(
    ("sql", "design"),
    [
        ("select * from deed where town = 7 and due > '2025-11-01'", "deed(town, due)"),
        (
            "select * from deed where town = 7 order by due desc, owner, id limit 5",
            "deed(town, due desc, owner, id)",
        ),
        (
            "select * from deed where town = 7 order by due desc nulls last limit 5",
            "deed(town, due nulls first)",
        ),
        (
            "select * from deed d where d.kind = 'rare' and d.town = 50",
            "deed(town) where kind = 'rare'",
        ),
        ("select id, due from deed where open and owner = 'x'", "deed(owner) where open"),
        ("select sum(town) from deed where due = '2024-05-05'", "deed(due) include (town)"),
        ("select * from deed where note like 'abc%'", "deed(note text_pattern_ops)"),
        ("select * from deed where lower(owner) = 'owner 7'", "deed(lower(owner))"),
        ("select * from deed where data->>'n' = '7'", "deed(data->>'n')"),
        (
            "select * from deed where date_trunc('day', at) = '2024-02-02'",
            "deed(date_trunc('day', at))",
        ),
        ("select * from deed where parent = 77", 'deed(parent) where "parent" IS NOT NULL'),
        ("select * from deed where note ilike '%abcdef%'", "deed using gin (note gin_trgm_ops)"),
        ("select * from deed where note ~ 'abcdef'", "deed using gin (note gin_trgm_ops)"),
        (
            "select * from deed where lower(owner) like '%er 2999%'",
            "deed using gin (lower(owner) gin_trgm_ops)",
        ),
        (
            """select * from deed where data @> '{"n": 7}'""",
            "deed using gin (data jsonb_path_ops)",
        ),
        ("select * from deed where data ? 'k7'", "deed using gin (data)"),
        ("select * from deed where tags && array['t7', 't8']", "deed using gin (tags)"),
        (
            "select * from deed where to_tsvector('simple', note) @@ to_tsquery('simple', 'abc')",
            "deed using gin (to_tsvector('simple', note))",
        ),
        (
            "select * from deed where owner = 'Owner 9' or note ilike '%abcdef%'",
            "deed(owner)",
        ),
        ('select * from "Town" where "Name" = \'Town 7\'', "Town(Name)"),
        (
            'select d.id from "Town" t join deed d on d.town = t."Id" where t."Name" = \'Town 7\'',
            "deed(town)",
        ),
        ("select max(due) from deed where owner = 'Owner 7'", "deed(owner, due)"),
        ("select * from deed where town in (3, 5) and owner = 'Owner 3'", "deed(owner, town)"),
    ],
)
def test_what_is_proposed_is_used(url: str, catalog: Catalog, sql: str, design: str) -> None:
    found = designs(sql, catalog)
    wanted = found[design.replace(" ", "")]
    others = [d for d in found.values() if d.method == "gin"] if " or " in sql else []
    change = creation((wanted, *others), catalog)
    with connected(url) as connection:
        for statement in change.apply:
            connection.execute(statement.encode())
        (plan,) = connection.execute(f"EXPLAIN (FORMAT JSON) {sql}".encode()).fetchone() or ((),)
        for statement in change.revert:
            connection.execute(statement.encode())
    assert wanted.name in {step.index for step in read_plan(plan).steps}
