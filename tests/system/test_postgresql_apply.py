"""Changes of a real PostgreSQL database: made, refused and taken back."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from benchmarks._postgres import PrivateServer
from perfwright.container import open_workspace, with_present_inverse
from perfwright.core import (
    AlreadyMadeError,
    BusyTargetError,
    ChangeError,
    ChangeSpec,
    ForbiddenChangeError,
    ManualClock,
    RevertError,
    SystemClock,
)
from perfwright.experiments.changes import (
    Policy,
    PostgresChange,
    Surroundings,
    TrafficWatch,
    spec_from_postgresql_sql,
)
from perfwright.experiments.changes.postgresql.connection import signature
from perfwright.experiments.changes.postgresql.session import ADVISORY_LOCK
from perfwright.experiments.ledger import ChangeEntry, ChangeState
from tests.contracts.test_change import (  # the promises of every change, for these changes
    Case,
    test_a_change_can_be_made_again_after_it_was_taken_back,
    test_applying_alters_the_target,
    test_applying_twice_is_applying_once,
    test_building_and_describing_change_nothing,
    test_taking_back_restores_the_target,
    test_taking_back_twice_is_taking_back_once,
    test_taking_back_what_was_never_applied_changes_nothing,
    test_the_inverse_is_known_before_the_change_is_made,
)
from tests.postgresql import connected, new_database

__all__ = [
    "test_a_change_can_be_made_again_after_it_was_taken_back",
    "test_applying_alters_the_target",
    "test_applying_twice_is_applying_once",
    "test_building_and_describing_change_nothing",
    "test_taking_back_restores_the_target",
    "test_taking_back_twice_is_taking_back_once",
    "test_taking_back_what_was_never_applied_changes_nothing",
    "test_the_inverse_is_known_before_the_change_is_made",
]

SCHEMA = (
    'CREATE SCHEMA "My s"',
    "CREATE TABLE parent(id int PRIMARY KEY, code text UNIQUE)",
    'CREATE TABLE "My s"."T"(id int PRIMARY KEY, a int NOT NULL, "B" text, '
    "parent int REFERENCES parent)",
    'INSERT INTO "My s"."T" SELECT g, g % 9, \'x\' || g FROM generate_series(1, 2000) g',
    'CREATE INDEX "Own" ON "My s"."T" (a DESC NULLS LAST, lower("B")) WITH (fillfactor = 70) '
    "WHERE a > 3",
    "COMMENT ON INDEX \"My s\".\"Own\" IS E'it''s \\\\ mine'",
    'ALTER INDEX "My s"."Own" ALTER COLUMN 2 SET STATISTICS 77',
    'CREATE INDEX marked ON "My s"."T" ("B")',
    'ALTER TABLE "My s"."T" CLUSTER ON marked',
    'CREATE INDEX of_key ON "My s"."T" (parent)',
    "CREATE TABLE p(a int, b text) PARTITION BY RANGE (a)",
    "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)",
    "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY LIST (b)",
    "CREATE TABLE p21 PARTITION OF p2 DEFAULT",
    "INSERT INTO p SELECT g, 'x' FROM generate_series(0, 19) g",
    "CREATE INDEX p_own ON p (b)",
    'CREATE STATISTICS "My s".pairs (dependencies) ON a, "B" FROM "My s"."T"',
    'ALTER STATISTICS "My s".pairs SET STATISTICS 55',
    "ANALYZE",
)
SCRIPTS = {
    "a new index": 'CREATE INDEX pw_x ON "My s"."T" (lower("B")) INCLUDE (a) WHERE a = 3',
    "dropped indexes": 'DROP INDEX "My s"."Own"; DROP INDEX "My s".marked',
    "a new partitioned index": "CREATE INDEX pw_p ON p (a)",
    "a partitioned index that is planned part by part": (
        "CREATE INDEX IF NOT EXISTS pw_p ON ONLY p (a);"
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS pw_p1 ON p1 (a);"
        "ALTER INDEX pw_p ATTACH PARTITION pw_p1;"
        "CREATE INDEX IF NOT EXISTS pw_p2 ON ONLY p2 (a);"
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS pw_p21 ON p21 (a);"
        "ALTER INDEX pw_p2 ATTACH PARTITION pw_p21;"
        "ALTER INDEX pw_p ATTACH PARTITION pw_p2"
    ),
    "a dropped partitioned index": "DROP INDEX p_own",
    "statistics": 'CREATE STATISTICS pw_s ON a, id FROM "My s"."T"; DROP STATISTICS "My s".pairs',
    "a setting": "ALTER ROLE postgres IN DATABASE {database} SET work_mem = '9MB'",
    "a script": 'DROP INDEX "My s"."Own"; CREATE INDEX ON "My s"."T" USING hash (a); ANALYZE p',
}
QUICK = Policy(
    lock_timeout_s=0.2,
    attempts=2,
    first_pause_s=0.01,
    longest_pause_s=0.02,
    patience_s=0.3,
    clean_up_patience_s=0.3,
    old_transaction_s=0.0,
    poll_s=0.02,
    reconnect_s=5.0,
)
INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT (indisvalid AND indisready)"
PW_X = 'CREATE INDEX pw_x ON "My s"."T" (a)'


@pytest.fixture(scope="module")
def shop(server: PrivateServer) -> Iterator[str]:
    with new_database(server, *SCHEMA) as url:
        yield url


@pytest.fixture(params=SCRIPTS)
def case(request: pytest.FixtureRequest, shop: str) -> Iterator[Case]:
    before = seen(shop)
    change = planned(shop, SCRIPTS[request.param].format(database=shop.rpartition("/")[2]))
    yield Case(change, lambda: seen(shop))
    change.revert()
    assert seen(shop) == before


@pytest.fixture
def clean(shop: str) -> Iterator[str]:
    """The same database, which a test must leave as it was."""
    before = seen(shop)
    yield shop
    assert seen(shop) == before


def planned(url: str, script: str, *, policy: Policy = QUICK) -> PostgresChange:
    around = Surroundings(policy=policy, rng=random.Random(1))
    return PostgresChange(url, spec_from_postgresql_sql(url, script), around)


def ask(url: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    with connected(url) as connection:
        return connection.execute(query.encode(), values or None).fetchall()


def do(url: str, *statements: str) -> None:
    with connected(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def seen(url: str) -> list[object]:
    """All that a change could alter, in an order that does not depend on history."""
    queries = (
        "SELECT p.*, obj_description(c.oid), i.indisvalid, i.indisready, i.indisclustered, "
        "(SELECT array_agg(a.attstattarget ORDER BY attnum) FROM pg_attribute a "
        "WHERE a.attrelid = c.oid), (SELECT inhparent::regclass::text FROM pg_inherits "
        "WHERE inhrelid = c.oid) FROM pg_indexes p JOIN pg_namespace n ON n.nspname = p.schemaname "
        "JOIN pg_class c ON c.relname = p.indexname AND c.relnamespace = n.oid "
        "JOIN pg_index i ON i.indexrelid = c.oid WHERE p.schemaname IN ('public', 'My s') "
        "ORDER BY 1, 2, 3",
        "SELECT pg_get_statisticsobjdef(oid), stxstattarget FROM pg_statistic_ext ORDER BY 1",
        "SELECT setrole::regrole::text, setconfig FROM pg_db_role_setting s JOIN pg_database d "
        "ON d.oid = s.setdatabase WHERE d.datname = current_database() ORDER BY 1",
    )
    with connected(url) as connection:
        return [connection.execute(query.encode()).fetchall() for query in queries]


@contextmanager
def transaction(url: str, *statements: str) -> Iterator[psycopg.Connection[Any]]:
    """An open transaction; rolled back at the end."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        yield connection
        connection.rollback()


# --- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("DROP INDEX parent_pkey", "constraint parent_pkey"),
        ("DROP INDEX parent_code_key", "constraint parent_code_key"),
        ('DROP INDEX "My s".of_key', "only index that supports the foreign key"),
        ("DROP INDEX p1_b_idx", "part of a partitioned index"),
        ("DROP INDEX pg_catalog.pg_class_relname_nsp_index", "is never dropped"),
    ],
)
def test_what_enforces_or_supports_something_is_not_dropped(
    script: str, why: str, clean: str
) -> None:
    name = script.removeprefix("DROP INDEX ")
    spec = ChangeSpec(
        kind="postgresql-ddl", subject=name, apply=(script,), revert=(), summary=script
    )
    with pytest.raises(ForbiddenChangeError, match=why):
        PostgresChange(clean, spec, Surroundings(policy=QUICK)).apply()
    with pytest.raises(ForbiddenChangeError, match=why):
        planned(clean, script)


def test_the_replica_identity_is_not_dropped(clean: str) -> None:
    do(
        clean,
        "CREATE TABLE followed(a int NOT NULL)",
        "CREATE UNIQUE INDEX who ON followed(a)",
        "ALTER TABLE followed REPLICA IDENTITY USING INDEX who",
    )
    with pytest.raises(ForbiddenChangeError, match="is never dropped"):
        planned(clean, "DROP INDEX who")
    do(clean, "DROP TABLE followed")


@pytest.fixture
def keyed(clean: str) -> Iterator[str]:
    """The database, with a table whose two foreign keys have no index yet."""
    do(
        clean,
        'CREATE TABLE child(id int, "Up" int REFERENCES parent, x int, y int)',
        "CREATE TABLE pair(a int, b int, PRIMARY KEY (a, b))",
        "ALTER TABLE child ADD CONSTRAINT two FOREIGN KEY (x, y) REFERENCES pair",
    )
    yield clean
    do(clean, "DROP TABLE child, pair")


@pytest.mark.parametrize(
    "index",
    [
        'part ON child ("Up") WHERE "Up" IS NOT NULL',
        'part ON child ("Up", id) WHERE ("Up" IS NOT NULL)',
        'part ON child USING hash ("Up") WHERE "Up" IS NOT NULL',
        "part ON child (x, y) WHERE x IS NOT NULL",
        "part ON child (y, x) WHERE x IS NOT NULL AND y IS NOT NULL",
    ],
)
def test_a_partial_index_that_alone_supports_a_key_is_not_dropped(index: str, keyed: str) -> None:
    do(keyed, f"CREATE INDEX {index}")
    with pytest.raises(ForbiddenChangeError, match="only index that supports the foreign key"):
        planned(keyed, "DROP INDEX part")


@pytest.mark.parametrize(
    "index",
    [
        'part ON child ("Up") WHERE id > 3',
        'part ON child ("Up") WHERE "Up" IS NOT NULL AND id > 3',
        'part ON child ("Up") WHERE "Up" IS NULL',
        'part ON child ("Up") WHERE id IS NOT NULL',
        "part ON child (x) WHERE x IS NOT NULL",
    ],
)
def test_a_partial_index_that_supports_no_key_may_be_dropped(index: str, keyed: str) -> None:
    do(keyed, f"CREATE INDEX {index}")
    change = planned(keyed, "DROP INDEX part")
    change.apply()
    assert ask(keyed, "SELECT 1 FROM pg_indexes WHERE indexname = 'part'") == []
    change.revert()


def test_a_partial_index_beside_another_that_supports_the_key_may_be_dropped(keyed: str) -> None:
    do(
        keyed,
        'CREATE INDEX part ON child ("Up") WHERE "Up" IS NOT NULL',
        'CREATE INDEX other ON child ("Up", id) WHERE "Up" IS NOT NULL',
    )
    planned(keyed, "DROP INDEX part").apply()
    with pytest.raises(ForbiddenChangeError, match="only index that supports the foreign key"):
        planned(keyed, "DROP INDEX other")


def test_an_index_of_the_same_name_that_is_another_one_is_not_dropped(clean: str) -> None:
    change = planned(clean, PW_X)
    do(clean, 'CREATE INDEX pw_x ON "My s"."T" (a DESC)')
    with pytest.raises(RevertError, match="is another one") as caught:
        change.revert()
    assert not caught.value.partial
    assert "Run this by hand" not in str(caught.value)  # it would drop what is somebody's
    assert "could not apply" not in str(caught.value)
    assert ask(clean, "SELECT count(*) FROM pg_indexes WHERE indexname = 'pw_x'") == [(1,)]
    do(clean, 'DROP INDEX "My s".pw_x')


def test_an_index_of_the_same_name_that_is_another_one_is_not_taken_for_ours(clean: str) -> None:
    change = planned(clean, PW_X)
    do(clean, 'CREATE INDEX pw_x ON "My s"."T" (a DESC)')
    with pytest.raises(ChangeError, match="is another one"):
        change.apply()
    do(clean, 'DROP INDEX "My s".pw_x')


def test_a_name_that_exists_is_refused_when_planning(clean: str) -> None:
    with pytest.raises(ForbiddenChangeError, match="exists already"):
        planned(clean, 'CREATE INDEX "Own" ON "My s"."T" (a)')


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ('"T" (a)', '"T" USING btree (a ASC NULLS LAST)'),
        ('"T" (lower("B"))', '"T" (lower("B"::text))'),
        ('"T" ("B" text_ops) INCLUDE (a)', '"T" ("B" COLLATE "default") INCLUDE (a)'),
        ('"T" (a) WHERE a > 3', '"T" (a) WHERE (a) > (3)'),
        ('"T" USING hash (a)', '"T" USING hash (a)'),
        ('"T" (a) TABLESPACE pg_default', '"T" (a)'),
    ],
)
def test_an_index_of_the_same_definition_is_not_made_again(
    wanted: str, there: str, clean: str
) -> None:
    do(clean, f'CREATE INDEX theirs ON "My s".{there}')
    with pytest.raises(AlreadyMadeError, match=r'"My s"\."theirs" is the same index'):
        planned(clean, f'CREATE INDEX pw_x ON "My s".{wanted}').apply()
    assert ask(clean, "SELECT 1 FROM pg_indexes WHERE indexname = 'pw_x'") == []
    do(clean, 'DROP INDEX "My s".theirs')


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ("(a)", "INDEX theirs ON {} (a DESC)"),
        ("(a)", "INDEX theirs ON {} (a, id)"),
        ("(a)", "INDEX theirs ON {} (a) INCLUDE (id)"),
        ("(a)", "INDEX theirs ON {} (a) WHERE a > 3"),
        ("(a)", "INDEX theirs ON {} USING hash (a)"),
        ("(a)", "INDEX theirs ON {} (a) WITH (fillfactor = 50)"),
        ("(a)", "INDEX theirs ON {} ((a + 0))"),
        ("(a, id)", "UNIQUE INDEX theirs ON {} (a, id)"),
        ('("B")', 'INDEX theirs ON {} ("B" COLLATE "C")'),
        ('("B" varchar_pattern_ops)', 'INDEX theirs ON {} ("B" text_pattern_ops)'),
    ],
)
def test_an_index_beside_another_one_is_made(wanted: str, there: str, clean: str) -> None:
    do(clean, 'DROP INDEX "My s".marked', "CREATE " + there.format('"My s"."T"'))
    change = planned(clean, f'CREATE INDEX pw_x ON "My s"."T" {wanted}')
    change.apply()
    assert ask(clean, "SELECT 1 FROM pg_indexes WHERE indexname = 'pw_x'") == [(1,)]
    change.revert()
    do(
        clean,
        'DROP INDEX "My s".theirs',
        'CREATE INDEX marked ON "My s"."T" ("B")',
        'ALTER TABLE "My s"."T" CLUSTER ON marked',
    )


def test_an_invalid_index_is_no_reason_not_to_make_a_whole_one(clean: str) -> None:
    make_invalid(clean, 'CREATE INDEX CONCURRENTLY theirs ON "My s"."T" (a)')
    change = planned(clean, PW_X)
    change.apply()
    assert ask(clean, "SELECT 1 FROM pg_indexes WHERE indexname = 'pw_x'") == [(1,)]
    change.revert()
    do(clean, 'DROP INDEX "My s".theirs')


def test_an_index_is_made_in_the_place_of_the_same_one(clean: str) -> None:
    do(clean, 'CREATE INDEX theirs ON "My s"."T" (a)')
    change = planned(clean, f'{PW_X}; DROP INDEX "My s".theirs')
    change.apply()
    names = ask(clean, "SELECT indexname FROM pg_indexes WHERE indexname IN ('pw_x', 'theirs')")
    assert names == [("pw_x",)]
    change.revert()
    do(clean, 'DROP INDEX "My s".theirs')


def test_a_partition_that_has_the_index_already_is_named(clean: str) -> None:
    do(clean, "CREATE INDEX theirs ON p1 (a)")
    with pytest.raises(AlreadyMadeError, match=r'"public"\."theirs" is the same index'):
        planned(clean, "CREATE INDEX pw_p ON p (a)").apply()
    do(clean, "DROP INDEX theirs")


def test_a_unique_index_is_never_made(clean: str) -> None:
    with pytest.raises(ForbiddenChangeError, match="can be tried"):
        planned(clean, 'CREATE UNIQUE INDEX u ON "My s"."T" (a)')


@pytest.fixture
def reading(server: PrivateServer, clean: str) -> Iterator[str]:
    """URL of the database for a role that owns nothing."""
    do(clean, "CREATE ROLE reading LOGIN", 'GRANT USAGE ON SCHEMA "My s" TO reading')
    yield server.url(clean.rpartition("/")[2], user="reading")
    do(clean, "DROP OWNED BY reading", "DROP ROLE reading")


def test_a_role_that_does_not_own_the_table_is_told_who_does(reading: str) -> None:
    with pytest.raises(ChangeError, match=r"only its owner .* connect as postgres$"):
        planned(reading, PW_X).apply()


def test_a_role_that_may_not_take_a_change_back_is_told_who_may(reading: str, clean: str) -> None:
    change = planned(clean, PW_X)
    change.apply()
    with pytest.raises(RevertError) as caught:
        PostgresChange(reading, change.spec, change.around).revert()
    assert str(caught.value).startswith(
        f'could not take back {PW_X!r}: only its owner may change "My s"."T"; connect as '
        "postgres. Run this by hand: DROP INDEX"
    )
    change.revert()


def test_an_undo_that_a_lock_stops_names_who_holds_it(clean: str) -> None:
    change = planned(clean, PW_X)
    change.apply()
    with transaction(clean, 'SELECT 1 FROM "My s"."T" LIMIT 1') as other:
        with pytest.raises(RevertError) as caught:
            change.revert()
        assert f"session {other.info.backend_pid} (idle in transaction)" in caught.value.problem
        assert caught.value.problem.endswith("; try again when they have ended, or end them")
        assert clean not in str(caught.value)
    change.revert()


def test_a_role_is_told_the_grant_of_an_owner_who_is_no_superuser(reading: str, clean: str) -> None:
    do(
        clean,
        "CREATE ROLE owning",
        "CREATE TABLE owned(a int)",
        "ALTER TABLE owned OWNER TO owning",
    )
    change = planned(reading, "CREATE INDEX pw_o ON owned (a)")
    with pytest.raises(ChangeError, match='connect as owning, or: GRANT "owning" TO "reading"'):
        change.apply()
    do(clean, "DROP TABLE owned", "DROP ROLE owning")


def test_a_setting_that_somebody_changed_meanwhile_is_left_alone(clean: str) -> None:
    name = clean.rpartition("/")[2]
    change = planned(clean, f"ALTER DATABASE {name} SET jit = off")
    change.apply()
    do(clean, f"ALTER DATABASE {name} SET jit = on")
    with pytest.raises(RevertError, match="was set to on meanwhile"):
        change.revert()
    do(clean, f"ALTER DATABASE {name} RESET jit")


def test_an_index_that_would_fill_the_disk_is_refused(clean: str) -> None:
    greedy = replace(QUICK, free_factor=1e12)
    with pytest.raises(ChangeError, match="must be free"):
        planned(clean, PW_X, policy=greedy).apply()


# --- Locks and transactions in the way -----------------------------------------------------------


def test_a_transaction_that_writes_the_table_is_named_not_waited_for(clean: str) -> None:
    with transaction(clean, 'UPDATE "My s"."T" SET a = 1 WHERE id = 1') as other:
        pid = other.info.backend_pid
        with pytest.raises(BusyTargetError, match=f"session {pid} .idle in transaction., open for"):
            planned(clean, PW_X).apply()


def test_an_old_snapshot_of_another_table_stops_a_build(clean: str) -> None:
    snapshot = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT * FROM parent")
    with transaction(clean, *snapshot), pytest.raises(BusyTargetError, match="in the way"):
        planned(clean, PW_X).apply()


def test_a_young_transaction_is_waited_for_by_the_server_and_nothing_invalid_stays(
    clean: str,
) -> None:
    patient = replace(QUICK, old_transaction_s=3600.0)
    with transaction(clean, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "TABLE parent"):
        with pytest.raises(BusyTargetError, match="lock timeout, 2 times"):
            planned(clean, PW_X, policy=patient).apply()
        assert ask(clean, INVALID) == []


def test_a_reader_of_the_table_stops_a_drop_before_it_begins(clean: str) -> None:
    with transaction(clean, 'SELECT 1 FROM "My s"."T" LIMIT 1'):
        with pytest.raises(BusyTargetError, match="in the way"):
            planned(clean, 'DROP INDEX "My s"."Own"').apply()
        assert ask(clean, INVALID) == []


def test_a_drop_that_is_stuck_half_way_says_that_it_is_not_over(clean: str) -> None:
    late = replace(QUICK, old_transaction_s=3600.0)
    change = planned(clean, 'DROP INDEX "My s"."Own"', policy=late)
    with transaction(clean, 'SELECT 1 FROM "My s"."T" LIMIT 1'):
        with pytest.raises(RevertError) as caught:
            change.apply()
        assert caught.value.partial
        assert ask(clean, INVALID) == [('"My s"."Own"',)]
    change.revert()


def test_another_perfwright_on_the_same_database_is_waited_for_by_nobody(clean: str) -> None:
    with connected(clean) as other:
        other.execute("SELECT pg_advisory_lock(%s, %s)", ADVISORY_LOCK)
        with pytest.raises(BusyTargetError, match="another perfwright"):
            planned(clean, PW_X).apply()


def test_what_a_dead_perfwright_left_running_is_ended(clean: str) -> None:
    own, _, machine = signature().rpartition("@")
    dead = f"{own.rpartition(' ')[0]} 4194304@{machine}"  # above the largest process id
    with connected(clean) as orphan:
        orphan.execute("SELECT set_config('application_name', %s, false)", (dead,))
        orphan.execute("SELECT pg_advisory_lock(%s, %s)", ADVISORY_LOCK)
        change = planned(clean, PW_X)
        change.apply()
        change.revert()
        with pytest.raises(psycopg.OperationalError):
            orphan.execute("SELECT 1")


# --- Leftovers, losses, interrupts ---------------------------------------------------------------


def make_invalid(url: str, statement: str) -> None:
    """Leave what a broken CREATE INDEX CONCURRENTLY leaves."""
    with transaction(url, 'UPDATE "My s"."T" SET a = 1 WHERE id = 1'), connected(url) as maker:
        maker.execute("SET lock_timeout = 50")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            maker.execute(statement.encode())


def test_a_broken_leftover_of_ours_is_made_anew(clean: str) -> None:
    make_invalid(clean, 'CREATE INDEX CONCURRENTLY pw_x ON "My s"."T" (a)')
    change = planned(clean, PW_X)
    change.apply()
    assert ask(clean, INVALID) == []
    assert ask(clean, "SELECT count(*) FROM pg_indexes WHERE indexname = 'pw_x'") == [(1,)]
    change.revert()


def test_a_broken_leftover_of_somebody_else_is_refused(clean: str) -> None:
    change = planned(clean, 'CREATE INDEX theirs ON "My s"."T" (a)')
    make_invalid(clean, 'CREATE INDEX CONCURRENTLY theirs ON "My s"."T" (a)')
    with pytest.raises(ChangeError, match="is invalid, and is not ours"):
        change.apply()
    do(clean, 'DROP INDEX "My s".theirs')


def test_a_broken_leftover_is_dropped_by_taking_back(clean: str) -> None:
    change = planned(clean, PW_X)
    make_invalid(clean, 'CREATE INDEX CONCURRENTLY pw_x ON "My s"."T" (a)')
    change.revert()
    assert ask(clean, INVALID) == []


SLOW = (
    "CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM pg_sleep(0.0005); RETURN $1; END $$"
)
BUILDING = (
    "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%pw_x%' AND state = 'active' "
    "AND datname = current_database()"
)


@contextmanager
def during_a_build(url: str, statement: str) -> Iterator[list[str]]:
    """Run a statement once pw_x is being built; how that ended is in the list afterwards."""
    over = threading.Event()
    ended: list[str] = []

    def act() -> None:
        with connected(url) as connection:
            while not over.is_set():
                row = connection.execute(BUILDING.encode()).fetchone()
                if row is not None:
                    try:
                        connection.execute(statement.format(pid=row[0]).encode())
                    except psycopg.Error as error:
                        ended.append(str(error))
                    else:
                        ended.append("fine")
                    return

    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield ended
    finally:
        over.set()
        thread.join()


def test_a_build_whose_session_is_ended_leaves_nothing(clean: str) -> None:
    do(clean, SLOW)
    change = planned(clean, 'CREATE INDEX pw_x ON "My s"."T" (slow(a))')
    with (
        during_a_build(clean, "SELECT pg_terminate_backend({pid})"),
        pytest.raises(ChangeError, match="connection was lost"),
    ):
        change.apply()
    assert ask(clean, INVALID) == []
    do(clean, "DROP FUNCTION slow")


def test_a_build_makes_way_for_somebody_who_needs_the_table(clean: str) -> None:
    do(clean, SLOW)
    change = planned(clean, 'CREATE INDEX pw_x ON "My s"."T" (slow(a))')
    alteration = 'ALTER TABLE "My s"."T" ALTER COLUMN a SET STATISTICS 9'
    with during_a_build(clean, alteration) as waited:
        change.apply()
    assert waited == ["fine"]
    assert ask(clean, INVALID) == []
    change.revert()
    do(clean, "DROP FUNCTION slow")


def test_a_later_step_that_fails_takes_the_earlier_ones_back(clean: str) -> None:
    change = planned(clean, f'{PW_X}; CREATE INDEX pw_y ON "My s"."T" (parent, a)')
    do(clean, 'CREATE INDEX pw_y ON "My s"."T" (parent DESC)')
    with pytest.raises(ChangeError, match="is another one"):
        change.apply()
    assert ask(clean, "SELECT indexname FROM pg_indexes WHERE indexname = 'pw_x'") == []
    do(clean, 'DROP INDEX "My s".pw_y')


def test_a_partition_without_its_part_is_named(clean: str) -> None:
    change = planned(clean, "CREATE INDEX pw_p ON p (a)")
    frame_only = replace(change.spec, apply=change.spec.apply[:1])
    with pytest.raises(ChangeError, match="partitions without the index: p1, p2"):
        PostgresChange(clean, frame_only, Surroundings(policy=QUICK)).apply()


# --- The watch -----------------------------------------------------------------------------------


class Client:
    """Traffic in the place of waiting."""

    def __init__(self, url: str, *statements: str) -> None:
        self.url, self.statements = url, statements

    def __call__(self, _: float) -> None:
        with connected(self.url) as connection:
            for statement in self.statements * 30:
                connection.execute(statement.encode())


LOOKUP = 'SELECT count(*) FROM "My s"."T" WHERE a < 2'


def watched(url: str, client: Client, said: list[str]) -> TrafficWatch:
    spec = spec_from_postgresql_sql(url, PW_X)
    around = Surroundings(policy=QUICK, pause=client, say=said.append)
    return TrafficWatch(url=url, spec=spec, seconds=30.0, around=around)


@pytest.fixture
def busy(clean: str) -> Iterator[str]:
    """The database, with counters of some traffic."""
    do(clean, "CREATE EXTENSION pg_stat_statements")
    do(clean, "SELECT pg_stat_statements_reset()")
    Client(clean, LOOKUP)(0.0)
    yield clean
    do(clean, "DROP EXTENSION pg_stat_statements")


def test_statements_that_get_slower_are_named_by_the_watch(busy: str) -> None:
    lookup = 'SELECT delay() FROM "My s"."T" WHERE id = 1'
    function = "CREATE OR REPLACE FUNCTION delay() RETURNS void LANGUAGE sql AS $$ {} $$"
    do(busy, function.format("SELECT pg_sleep(0)"))
    client = Client(busy, lookup)
    client(0.0)
    watch = watched(busy, client, [])
    do(busy, function.format("SELECT pg_sleep(0.005)"))
    problem = watch()
    do(busy, "DROP FUNCTION delay")
    assert problem is not None
    assert problem.startswith('SELECT delay() FROM "My s"."T" WHERE id = $1 takes')


def test_statements_that_stay_as_they_were_leave_the_change(busy: str) -> None:
    said: list[str] = []
    watch = watched(busy, Client(busy, LOOKUP), said)
    assert watch() is None
    assert said[-1] == "1 statement watched, none got slower"


def test_a_server_without_traffic_is_not_judged(busy: str) -> None:
    said: list[str] = []
    watch = watched(busy, Client(busy), said)
    assert watch() is None
    assert said[-1] == "not enough traffic to judge"


def test_a_server_without_counters_is_not_watched(clean: str) -> None:
    said: list[str] = []
    watch = watched(clean, Client(clean), said)
    assert watch() is None
    assert said == ['the traffic is not watched: relation "pg_stat_statements" does not exist']


# --- Through the ledger --------------------------------------------------------------------------


def entry(url: str, script: str) -> ChangeEntry:
    spec = ChangeSpec(
        kind="postgresql-ddl", subject="pw_x", apply=(script,), revert=(), summary="a change"
    )
    return ChangeEntry(
        id="r.1/1", run="r", experiment="r.1", target=url, spec=spec, state=ChangeState.INTENDED
    )


@pytest.mark.parametrize(
    ("setting", "since"), [("idle_session_timeout", 140_000), ("transaction_timeout", 170_000)]
)
def test_a_limit_for_everybody_does_not_end_a_build(
    server: PrivateServer, setting: str, since: int
) -> None:
    slow = (
        "CREATE TABLE t(x int)",
        "INSERT INTO t SELECT generate_series(1, 20)",
        "CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(0.02); RETURN $1; END $$",
    )
    with new_database(server, *slow) as url:
        if ask(url, "SHOW server_version_num")[0][0] < str(since):
            pytest.skip(f"{setting} is newer than this server")
        do(url, f"ALTER DATABASE {url.rpartition('/')[2]} SET {setting} = '100ms'")
        planned(url, "CREATE INDEX pw_slow ON t (slow(x))").apply()
        assert ask(url, INVALID) == []
        assert len(ask(url, "SELECT 1 FROM pg_indexes WHERE tablename = 't'")) == 1


def test_a_refusal_is_told_in_the_words_of_the_server(clean: str) -> None:
    change = planned(clean, "CREATE INDEX pw_x ON parent ((random()))")
    with pytest.raises(ChangeError, match=r"': functions in index expression must be marked"):
        change.apply()


def test_a_crash_during_a_build_is_repaired_at_the_next_start(clean: str, tmp_path: Path) -> None:
    place = str(tmp_path / "l.db")
    with open_workspace(place, clock=SystemClock()) as workspace:
        workspace.ledger.intend(with_present_inverse(entry(clean, PW_X)))
    make_invalid(clean, 'CREATE INDEX CONCURRENTLY pw_x ON "My s"."T" (a)')
    with open_workspace(place, clock=SystemClock()) as workspace:
        assert [each.id for each in workspace.recovered] == ["r.1/1"]
    assert ask(clean, INVALID) == []


def test_a_guard_that_finds_something_takes_the_change_back(clean: str, tmp_path: Path) -> None:
    with open_workspace(str(tmp_path / "l.db"), clock=ManualClock()) as workspace:
        present = with_present_inverse(entry(clean, PW_X))
        with pytest.raises(ChangeError, match="got slower"):
            workspace.applier.apply(present, guard=lambda: "something got slower")
        assert workspace.ledger.change("r.1/1").state is ChangeState.UNDONE


def test_an_undo_that_meets_a_busy_server_leaves_the_change_kept(
    clean: str, tmp_path: Path
) -> None:
    with open_workspace(str(tmp_path / "l.db"), clock=ManualClock()) as workspace:
        kept = workspace.applier.apply(with_present_inverse(entry(clean, PW_X)))
        with connected(clean) as other:
            other.execute("SELECT pg_advisory_lock(%s, %s)", ADVISORY_LOCK)
            with pytest.raises(BusyTargetError, match="another perfwright"):
                workspace.applier.undo(kept)
        assert workspace.ledger.change(kept.id).state is ChangeState.KEPT
        workspace.applier.undo(kept)
