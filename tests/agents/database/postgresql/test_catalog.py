"""What the schema of a PostgreSQL database says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.catalog import Catalog, Index, Table
from perfwright.agents.database.postgresql.probes.catalog import read_catalog
from perfwright.agents.database.postgresql.probes.connection import open_database, open_target
from perfwright.core import parse_target
from tests.postgresql import connected, new_database, run

SCHEMA = (
    "CREATE SCHEMA shop",
    'CREATE SCHEMA "Odd Name"',
    "CREATE EXTENSION pg_trgm",
    "CREATE EXTENSION pg_stat_statements",
    'CREATE TABLE parent (id int PRIMARY KEY, code varchar(9) UNIQUE, body text COLLATE "C")',
    "CREATE TABLE shop.parent (id bigint PRIMARY KEY)",
    'CREATE TABLE "Odd Name"."Tab le" ("Ke y" int, "select" text,'
    ' twice int GENERATED ALWAYS AS ("Ke y" * 2) STORED)',
    'CREATE INDEX "In dex" ON "Odd Name"."Tab le" ("Ke y" DESC, lower("select")) '
    'INCLUDE (twice) WHERE "Ke y" > 3',
    "CREATE TABLE child (a int, b int, c text, d jsonb, e date NOT NULL)",
    "ALTER TABLE child ADD FOREIGN KEY (b) REFERENCES parent ON DELETE CASCADE",
    "CREATE INDEX twin ON child (a)",
    "CREATE INDEX twin ON shop.parent (id)",
    'CREATE INDEX child_last ON child (a DESC NULLS LAST, c text_pattern_ops, c COLLATE "C")',
    "CREATE INDEX child_words ON child USING gin (c gin_trgm_ops)",
    "CREATE STATISTICS child_ab (dependencies, ndistinct) ON a, b FROM child",
    "CREATE TABLE excluded (span int4range, EXCLUDE USING gist (span WITH &&))",
    "CREATE TABLE mirrored (id int NOT NULL)",
    "CREATE UNIQUE INDEX mirrored_id ON mirrored (id)",
    "ALTER TABLE mirrored REPLICA IDENTITY USING INDEX mirrored_id",
    "ALTER TABLE mirrored CLUSTER ON mirrored_id",
    "CREATE TABLE part (id int, at date) PARTITION BY RANGE (at)",
    "CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
    "CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
    "CREATE INDEX part_at ON part (at)",
    "INSERT INTO part SELECT i, DATE '2024-06-01' + i FROM generate_series(1, 400) i",
    "INSERT INTO parent SELECT i, i FROM generate_series(1, 1000) i",
    "INSERT INTO child SELECT i % 4, i % 1000 + 1, CASE WHEN i % 10 = 0 THEN 'rare' ELSE 'it''s, "
    "\"odd\"' END, '{}', '2024-01-01' FROM generate_series(1, 2000) i",
    "CREATE VIEW looked AS SELECT a FROM child",
    "CREATE MATERIALIZED VIEW kept AS SELECT a, count(*) AS n FROM child GROUP BY a",
    "CREATE EXTENSION postgres_fdw",
    "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw",
    "CREATE FOREIGN TABLE abroad (id int) SERVER far",
    "ANALYZE",
)


@pytest.fixture(scope="module")
def url(server: PrivateServer) -> Iterator[str]:
    with new_database(server, *SCHEMA) as made:
        yield made


@pytest.fixture(scope="module")
def catalog(url: str) -> Catalog:
    return read(url)


def read(url: str, *, options: dict[str, str] | None = None) -> Catalog:
    connection = open_database(url, options=options)
    try:
        return read_catalog(connection)
    finally:
        connection.close()


def table(catalog: Catalog, name: str) -> Table:
    found = catalog.table(name)
    assert found is not None
    return found


def index(catalog: Catalog, name: str) -> Index:
    found = catalog.index(name)
    assert found is not None
    return found


def test_only_what_the_search_path_finds_is_called_without_its_schema(catalog: Catalog) -> None:
    names = {t.name for t in catalog.tables}
    assert {"parent", "shop.parent", "Odd Name.Tab le", "child"} <= names
    assert catalog.search_path == ("public",)


def test_an_index_whose_name_exists_twice_carries_its_schema(catalog: Catalog) -> None:
    assert {i.name for i in catalog.indexes if i.bare_name == "twin"} == {
        "public.twin",
        "shop.twin",
    }


def test_system_tables_and_those_of_extensions_are_left_out(catalog: Catalog) -> None:
    assert not [t.name for t in catalog.tables if t.schema.startswith("pg_")]
    assert [v.name for v in catalog.views] == ["looked"]


def test_rows_and_primary_key_of_a_table(catalog: Catalog) -> None:
    parent = table(catalog, "parent")
    assert (parent.rows, parent.primary_key) == (1000, ("id",))
    assert parent.size_bytes > 0


def test_types_and_collations_are_as_declared(catalog: Catalog) -> None:
    columns = {c.name: (c.type, c.collation) for c in table(catalog, "parent").columns}
    assert columns == {
        "id": ("integer", None),
        "code": ("character varying(9)", None),
        "body": ("text", "C"),
    }


def test_a_generated_column_is_known_as_such(catalog: Catalog) -> None:
    odd = table(catalog, "Odd Name.Tab le")
    assert [c.name for c in odd.columns if c.generated] == ["twice"]
    assert odd.relation == '"Odd Name"."Tab le"'


def test_every_part_of_an_index_is_read(catalog: Catalog) -> None:
    odd = index(catalog, "In dex")
    assert odd.table == "Odd Name.Tab le"
    assert odd.columns == ("Ke y", None)
    assert [key.text for key in odd.keys] == ['"Ke y"', 'lower("select")']
    assert [key.descending for key in odd.keys] == [True, False]
    assert (odd.included, odd.where, odd.partial) == (("twice",), '"Ke y" > 3', True)
    assert odd.sql.startswith('CREATE INDEX "In dex" ON "Odd Name"."Tab le" USING btree')


def test_what_differs_from_the_default_of_a_key_is_named(catalog: Catalog) -> None:
    first, second, third = index(catalog, "child_last").keys
    assert (first.descending, first.nulls) == (True, "LAST")
    assert second.operator_class == "text_pattern_ops"
    assert (third.collation, third.operator_class) == ("C", "")


def test_a_default_operator_class_is_not_named(catalog: Catalog) -> None:
    (key,) = index(catalog, "parent_code_key").keys
    assert (key.operator_class, key.collation, key.nulls) == ("", "BINARY", "")


def test_the_method_of_an_index_is_read(catalog: Catalog) -> None:
    words = index(catalog, "child_words")
    assert words.method == "gin"
    assert words.keys[0].operator_class == "gin_trgm_ops"


def test_what_constraints_need_is_marked(catalog: Catalog) -> None:
    marked = {i.name for i in catalog.indexes if i.constraint}
    assert {"public.parent_pkey", "parent_code_key", "excluded_span_excl"} <= marked
    assert not {"child_words", "mirrored_id"} & marked


def test_replica_identity_is_read(catalog: Catalog) -> None:
    mirrored = index(catalog, "mirrored_id")
    assert mirrored.replica_identity
    assert mirrored.clustered


def test_an_index_of_a_partition_knows_its_parent(catalog: Catalog) -> None:
    assert index(catalog, "part_1_at_idx").partition_of == "part_at"
    assert index(catalog, "part_at").partition_of is None


def test_a_partitioned_table_has_the_rows_of_its_partitions(catalog: Catalog) -> None:
    part = table(catalog, "part")
    assert part.partitioned
    assert part.rows == 400
    assert part.size_bytes == sum(table(catalog, f"part_{n}").size_bytes for n in (1, 2))
    assert table(catalog, "part_1").partition_of == "part"


def test_column_statistics_of_a_partitioned_table_are_of_all_its_rows(catalog: Catalog) -> None:
    column = table(catalog, "part").column("id")
    assert column is not None
    assert column.statistics is not None
    assert column.statistics.distinct == pytest.approx(400)


def test_common_values_keep_their_text(catalog: Catalog) -> None:
    column = table(catalog, "child").column("c")
    assert column is not None
    assert column.statistics is not None
    assert dict(column.statistics.common) == pytest.approx({'it\'s, "odd"': 0.9, "rare": 0.1})


def test_a_share_of_distinct_values_becomes_a_number(catalog: Catalog) -> None:
    column = table(catalog, "parent").column("id")
    assert column is not None
    assert column.statistics is not None
    assert column.statistics.distinct == pytest.approx(1000)


def test_a_foreign_key_names_both_ends(catalog: Catalog) -> None:
    (key,) = (k for k in catalog.foreign_keys if k.table == "child")
    assert (key.columns, key.parent, key.parent_columns) == (("b",), "parent", ("id",))
    assert (key.on_delete, key.on_update) == ("CASCADE", "NO ACTION")


def test_a_foreign_key_that_is_not_enforced_makes_no_work(database: str) -> None:
    with connected(database) as connection:
        if connection.info.server_version < 180_000:
            pytest.skip("PostgreSQL 18 is the first that need not enforce a foreign key")
    run(
        database,
        "CREATE TABLE above (id int PRIMARY KEY)",
        "CREATE TABLE below (id int REFERENCES above NOT ENFORCED)",
    )
    assert read(database).foreign_keys == ()


def test_views_and_extended_statistics_are_read(catalog: Catalog) -> None:
    (statistics,) = catalog.extended_statistics
    assert (statistics.table, statistics.columns) == ("child", ("a", "b"))
    assert set(statistics.kinds) == {"dependencies", "ndistinct"}
    assert "child" in catalog.views[0].sql


def test_a_materialised_view_is_a_table(catalog: Catalog) -> None:
    kept = table(catalog, "kept")
    assert not kept.virtual
    assert "GROUP BY" in kept.sql


def test_a_foreign_table_cannot_be_indexed(catalog: Catalog) -> None:
    assert table(catalog, "abroad").virtual


def test_extensions_and_version_are_known(catalog: Catalog) -> None:
    assert "pg_trgm" in catalog.extensions
    assert "pg_trgm" not in catalog.available_extensions
    assert catalog.dialect == "postgres"
    assert catalog.major >= 13
    assert catalog.version.startswith(str(catalog.major))
    assert catalog.page_size == 8192
    assert catalog.page_count > 100


def test_a_server_of_its_own_has_no_replicas(catalog: Catalog) -> None:
    assert not catalog.is_replica
    assert not catalog.has_replicas
    assert catalog.statistics_age_s is not None
    assert catalog.statistics_age_s >= 0


def test_the_search_path_decides_which_of_two_tables_has_the_short_name(url: str) -> None:
    seen = read(url, options={"search_path": "shop"})
    assert table(seen, "parent").schema == "shop"
    assert table(seen, "public.parent").schema == "public"


def test_a_table_that_was_never_analysed_is_estimated(database: str) -> None:
    run(
        database,
        "CREATE TABLE fresh (id int, word text)",
        "INSERT INTO fresh SELECT i, 'word' FROM generate_series(1, 5000) i",
    )
    fresh = table(read(database), "fresh")
    assert 2_000 <= fresh.rows <= 10_000
    assert fresh.activity is not None
    assert not fresh.activity.analyzed


def test_an_invalid_index_is_known_as_such(database: str) -> None:
    run(
        database,
        "CREATE TABLE t (id int)",
        "CREATE INDEX broken ON t (id)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass",
    )
    assert not index(read(database), "broken").valid


def test_a_role_without_any_permission_still_sees_the_schema(
    server: PrivateServer, database: str
) -> None:
    run(
        database,
        "CREATE TABLE closed (id int PRIMARY KEY)",
        "CREATE TABLE open_one (id int)",
        "INSERT INTO closed SELECT generate_series(1, 500)",
        "INSERT INTO open_one SELECT i % 7 FROM generate_series(1, 500) i",
        "ANALYZE",
        "DROP ROLE IF EXISTS looker",
        "CREATE ROLE looker LOGIN",
        "GRANT SELECT ON open_one TO looker",
    )
    name = database.rpartition("/")[2]
    try:
        connection = open_target(parse_target(server.url(name, user="looker")))
        try:
            seen = read_catalog(connection)
        finally:
            connection.close()
        assert table(seen, "closed").rows == 500
        assert table(seen, "closed").columns[0].statistics is None
        assert table(seen, "open_one").columns[0].statistics is not None
        assert index(seen, "closed_pkey").constraint
    finally:
        run(database, "DROP OWNED BY looker", "DROP ROLE looker")


def test_a_locked_table_falls_back_to_the_size_that_was_counted_last(database: str) -> None:
    run(
        database,
        "CREATE TABLE held (id int)",
        "INSERT INTO held SELECT generate_series(1, 5000)",
        "ANALYZE",
    )
    with connected(database) as blocker:
        blocker.execute("BEGIN")
        blocker.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
        seen = read(database, options={"lock_timeout": "50"})
    held = table(seen, "held")
    assert held.rows == 5000
    assert held.size_bytes > 100_000


@pytest.mark.parametrize(
    ("options", "collation"),
    [
        ("LOCALE 'C'", "C"),
        ("LOCALE 'C.UTF-8'", None),
        ("LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'und'", None),
    ],
)
def test_a_database_that_sorts_by_bytes_is_told_apart(
    server: PrivateServer, options: str, collation: str | None
) -> None:
    with connected(server.url()) as admin:
        if "icu" in options and admin.info.server_version < 150_000:
            pytest.skip("PostgreSQL 15 is the first with ICU as the order of a database")
        admin.execute(f"CREATE DATABASE sorted TEMPLATE template0 {options}".encode())
    try:
        run(server.url("sorted"), "CREATE TABLE t (word text)")
        assert table(read(server.url("sorted")), "t").columns[0].collation == collation
    finally:
        run(server.url(), "DROP DATABASE sorted WITH (FORCE)")
