"""A small database with one of nearly everything that PostgreSQL offers, and what it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READER, MONITOR, NOBODY, OWNER, APP = "reader", "monitor", "nobody_special", "owner", "app"
"""Roles: may connect and read; has pg_monitor, too; may only connect; owns all; runs the load."""
ROWS = 12_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """A statement that older versions do not understand."""

    major: int
    sql: str


STATEMENTS: tuple[str | Since, ...] = (
    'CREATE SCHEMA "My ""Shop"""',
    "CREATE SCHEMA hidden",
    "CREATE EXTENSION IF NOT EXISTS btree_gist",
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE TYPE state AS ENUM ('new', 'paid', 'sent')",
    "CREATE DOMAIN mail AS text CHECK (VALUE LIKE '%@%')",
    "CREATE SEQUENCE numbers AS int",
    """CREATE TABLE customer (id int PRIMARY KEY, mail mail NOT NULL, country text COLLATE "C",
        born date, UNIQUE (mail))""",
    'CREATE TABLE "My ""Shop"""."Ord er" ("Id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, '
    '"customerId" int NOT NULL REFERENCES customer (id), "select" state NOT NULL, total numeric, '
    "twice numeric GENERATED ALWAYS AS (total * 2) STORED, at timestamptz NOT NULL, tags text[], "
    "data jsonb, words tsvector, number int DEFAULT nextval('numbers'), gone int)",
    'ALTER TABLE "My ""Shop"""."Ord er" DROP COLUMN gone',
    "CREATE TABLE booking (room int, during tstzrange, note text, "
    "EXCLUDE USING gist (room WITH =, during WITH &&))",
    "CREATE TABLE hidden.secret (id int PRIMARY KEY, note text)",
    "CREATE TABLE event (id bigint NOT NULL, at date NOT NULL, kind text, body text, "
    "PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
    "CREATE TABLE event_old PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
    "CREATE TABLE event_new PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') "
    "PARTITION BY HASH (id)",
    "CREATE TABLE event_new_a PARTITION OF event_new FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
    'CREATE TABLE "event_new_Rest" PARTITION OF event_new FOR VALUES WITH (MODULUS 2, REMAINDER 1)',
    f"INSERT INTO customer SELECT i, 'User' || i || '@example.com', chr(97 + i % 7), "
    f"date '1960-01-01' + i % 9000 FROM generate_series(1, {ROWS // 4}) i",
    'INSERT INTO "My ""Shop"""."Ord er" ("customerId", "select", total, at, tags, data, words) '
    f"SELECT 1 + i % {ROWS // 4}, CASE WHEN i % 50 = 0 THEN 'new' ELSE 'sent' END::state, i % 97, "
    "timestamptz '2025-01-01 UTC' + i * interval '7 minutes', ARRAY['t' || i % 40, 'x'], "
    "jsonb_build_object('sku', 's' || i % 60, 'n', i), to_tsvector('simple', 'word' || i % 90) "
    f"FROM generate_series(1, {ROWS}) i",
    "INSERT INTO booking SELECT i % 5, tstzrange(now() + i * interval '1 hour', "
    "now() + (i + 1) * interval '1 hour'), 'b' FROM generate_series(1, 300) i",
    "INSERT INTO hidden.secret SELECT i, 'n' FROM generate_series(1, 500) i",
    f"INSERT INTO event SELECT i, date '2024-01-01' + i % 730, chr(97 + i % 4), repeat('b', 40) "
    f"FROM generate_series(1, {ROWS}) i",
    'CREATE INDEX order_mail ON "My ""Shop"""."Ord er" (at DESC NULLS LAST, lower(number::text))',
    'CREATE INDEX order_new ON "My ""Shop"""."Ord er" ("customerId") INCLUDE (total) '
    "WHERE \"select\" = 'new'",
    'CREATE INDEX order_day ON "My ""Shop"""."Ord er" (((at AT TIME ZONE \'UTC\')::date))',
    'CREATE INDEX order_data ON "My ""Shop"""."Ord er" USING gin (data jsonb_path_ops)',
    'CREATE INDEX order_words ON "My ""Shop"""."Ord er" USING gin (words)',
    'CREATE INDEX order_total ON "My ""Shop"""."Ord er" (total)',
    'CREATE INDEX order_total_copy ON "My ""Shop"""."Ord er" (total)',
    'CREATE INDEX order_brin ON "My ""Shop"""."Ord er" USING brin (at)',
    "CREATE INDEX customer_trigrams ON customer USING gin (mail gin_trgm_ops)",
    "CREATE INDEX event_kind ON event (kind, at)",
    "CREATE INDEX customer_hash ON customer USING hash (country)",
    'CREATE INDEX broken ON "My ""Shop"""."Ord er" (number)',
    'UPDATE pg_index SET indisvalid = false WHERE indexrelid = \'"My ""Shop""".broken\'::regclass',
    'CREATE STATISTICS pairs (dependencies, mcv) ON "customerId", "select" '
    'FROM "My ""Shop"""."Ord er"',
    Since(major=14, sql="CREATE STATISTICS days ON (extract(year FROM born)) FROM customer"),
    'CREATE VIEW open_orders AS SELECT o."Id", c.mail FROM "My ""Shop"""."Ord er" o '
    'JOIN customer c ON c.id = o."customerId" WHERE o."select" = \'new\'',
    "CREATE MATERIALIZED VIEW per_country AS "
    "SELECT country, count(*) AS n FROM customer GROUP BY 1",
    "CREATE UNIQUE INDEX per_country_key ON per_country (country)",
    Since(major=14, sql="ALTER TABLE customer ALTER COLUMN country SET COMPRESSION pglz"),
    Since(major=14, sql="CREATE TABLE spans (id int PRIMARY KEY, whens int4multirange)"),
    Since(
        major=14,
        sql="CREATE FUNCTION one() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END",
    ),
    Since(major=15, sql="CREATE TABLE lonely (a int, UNIQUE NULLS NOT DISTINCT (a))"),
    Since(major=15, sql="CREATE VIEW invoker WITH (security_invoker) AS SELECT id FROM customer"),
    Since(
        major=17,
        sql="CREATE TABLE auto_part (id int GENERATED ALWAYS AS IDENTITY) PARTITION BY HASH (id)",
    ),
    Since(
        major=18,
        sql="CREATE TABLE newest (id uuid PRIMARY KEY DEFAULT uuidv7(), n int, "
        "n2 int GENERATED ALWAYS AS (n * 2) VIRTUAL, parent int, "
        "FOREIGN KEY (parent) REFERENCES customer (id) NOT ENFORCED)",
    ),
    Since(major=18, sql="INSERT INTO newest (n) SELECT generate_series(1, 2000)"),
    Since(
        major=18,
        sql="CREATE TABLE rent (room int, during daterange, "
        "PRIMARY KEY (room, during WITHOUT OVERLAPS))",
    ),
    f"CREATE ROLE {APP} LOGIN",
    f"CREATE ROLE {READER} LOGIN",
    f"CREATE ROLE {MONITOR} LOGIN",
    f"CREATE ROLE {NOBODY} LOGIN",
    f"GRANT pg_monitor TO {MONITOR}",
    f'GRANT USAGE ON SCHEMA "My ""Shop""" TO {READER}, {MONITOR}, {APP}',
    f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}, {MONITOR}, {APP}",
    f'GRANT SELECT ON ALL TABLES IN SCHEMA "My ""Shop""" TO {READER}, {MONITOR}, {APP}',
    f"ALTER ROLE {APP} SET work_mem = '7MB'",
    "VACUUM ANALYZE",
    "CREATE EXTENSION IF NOT EXISTS pg_stat_statements",
    "SELECT pg_stat_statements_reset()",
)
ORDER = '"My ""Shop"""."Ord er"'


def schema(major: int) -> Iterator[str]:
    """Yield the statements that a version understands."""
    for statement in STATEMENTS:
        if isinstance(statement, str):
            yield statement
        elif statement.major <= major:
            yield statement.sql


def reads(major: int) -> Iterator[str]:
    """Yield statements that only read; some of them lack an index."""
    for i in range(1, 26):
        yield f'SELECT "Id", total FROM {ORDER} WHERE "customerId" = {i} ORDER BY at DESC'
        yield f"SELECT id FROM customer WHERE lower(mail) = 'user{i}@example.com'"
        yield f'SELECT count(*) FROM {ORDER} WHERE data @> \'{{"sku": "s{i}"}}\''
        yield f"SELECT \"Id\" FROM {ORDER} WHERE tags @> ARRAY['t{i}']"
        yield (
            f"SELECT count(*) FROM {ORDER} WHERE (at AT TIME ZONE 'UTC')::date = "
            f"date '2025-01-01' + {i}"
        )
        yield f"SELECT kind, body FROM event WHERE id = {i * 7}"
        yield f"SELECT count(*) FROM event WHERE at >= date '2025-03-01' + {i} AND body LIKE 'b%'"
        yield f'SELECT mail FROM open_orders WHERE "Id" = {i * 50}'
        yield f"SELECT n FROM per_country WHERE country = '{chr(97 + i % 7)}'"
        if major >= 18:
            yield f"SELECT id FROM newest WHERE n2 = {i * 2}"
            yield f"SELECT OLD.id FROM (SELECT id FROM newest WHERE n = {i}) AS OLD"


def writes(major: int) -> Iterator[str]:
    """Yield statements that write."""
    for i in range(1, 26):
        yield f'UPDATE {ORDER} SET total = total + 1 WHERE "Id" = {i * 3}'
        yield (
            f'INSERT INTO {ORDER} ("customerId", "select", total, at) '
            f"VALUES ({i}, 'new', {i}, now()) RETURNING \"Id\""
        )
        yield f"INSERT INTO event VALUES ({100_000 + i}, '2025-05-05', 'a', 'x')"
        if major >= 15:
            yield (
                f"MERGE INTO customer c USING (VALUES ({i}, 'x')) v(id, country) ON c.id = v.id "
                "WHEN MATCHED THEN UPDATE SET country = v.country"
            )
        if major >= 18:
            yield (
                f"UPDATE newest SET n = n + 1 WHERE n = {i} "
                "RETURNING OLD.n AS before, NEW.n AS after"
            )


def write_workload(path: Path, major: int) -> Path:
    """Write it all as JSON lines."""
    statements = (*reads(major), *writes(major))
    path.write_text("".join(json.dumps({"sql": sql}) + "\n" for sql in statements))
    return path
