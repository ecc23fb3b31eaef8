"""What a server tells about itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.postgresql.probes.connection import open_database, open_target
from perfwright.agents.database.postgresql.probes.server import read_server
from perfwright.agents.database.server import ServerState
from perfwright.core import SystemClock, parse_target
from tests.postgresql import connected, new_database, run

SCHEMA = (
    "CREATE SCHEMA shop",
    "CREATE TABLE shop.small (id serial PRIMARY KEY)",
    "CREATE TABLE wide (id bigint GENERATED ALWAYS AS IDENTITY, note text)",
    "CREATE SEQUENCE feeding",
    "CREATE TABLE fed (id smallint DEFAULT nextval('feeding'))",
    "CREATE SEQUENCE circling MAXVALUE 10 CYCLE",
    "SELECT setval('shop.small_id_seq', 2000000000)",
    "SELECT setval('feeding', 20000)",
    "SELECT setval('circling', 9)",
    "CREATE TABLE cared (id int) WITH (autovacuum_enabled = off, autovacuum_vacuum_threshold = 7,"
    " autovacuum_vacuum_scale_factor = 0.5)",
    "INSERT INTO cared SELECT generate_series(1, 1000)",
    "ANALYZE cared",
    "CREATE UNLOGGED TABLE light (id int)",
    "CREATE TABLE t (id int, word text)",
    "CREATE INDEX broken ON t (id)",
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass",
)


@pytest.fixture(scope="module")
def url(server: PrivateServer) -> Iterator[str]:
    with new_database(server, *SCHEMA) as made:
        yield made


@pytest.fixture(scope="module")
def state(url: str) -> ServerState:
    return look(url)[0]


def look(url: str, *, watch_s: float = 0.0) -> tuple[ServerState, tuple[str, ...]]:
    connection = open_database(url)
    try:
        return read_server(connection, watch_s=watch_s, clock=SystemClock())
    finally:
        connection.close()


@contextmanager
def restricted(server: PrivateServer, url: str, *grants: str) -> Iterator[str]:
    """A role without a permission but those given, and the URL with which it connects."""
    run(url, "DROP ROLE IF EXISTS looker", "CREATE ROLE looker LOGIN", *grants)
    try:
        yield server.url(url.rpartition("/")[2], user="looker")
    finally:
        run(url, "DROP OWNED BY looker", "DROP ROLE looker")


def test_everything_is_read_without_a_note(url: str) -> None:
    assert look(url)[1] == ()


def test_settings_come_with_unit_and_default(state: ServerState) -> None:
    memory = state.setting("work_mem")
    assert memory is not None
    assert (memory.unit, memory.default, memory.context) == ("kB", "4096", "user")
    assert memory.number == float(memory.value)


def test_switched_off_is_no_number(state: ServerState) -> None:
    off = state.setting("jit")
    assert off is not None
    assert off.number is None


def test_limits_and_counters_are_read(state: ServerState) -> None:
    assert state.max_connections == 40
    assert state.counters is not None
    assert state.counters.commits > 0
    assert state.counters.hit_ratio is not None
    assert 0 <= state.counters.hit_ratio <= 1
    assert state.checkpoints is not None
    assert state.transaction_age is not None
    assert state.freeze_max_age == 200_000_000


def test_a_sequence_is_held_against_the_column_that_it_feeds(state: ServerState) -> None:
    (small,) = (s for s in state.sequences if s.table == "shop.small")
    assert (small.name, small.column, small.limit) == ("shop.small_id_seq", "id", 2**31 - 1)
    assert small.used == pytest.approx(0.931, abs=0.001)


def test_a_sequence_that_nobody_owns_is_held_against_the_default_that_asks_it(
    state: ServerState,
) -> None:
    (fed,) = (s for s in state.sequences if s.name == "feeding")
    assert (fed.table, fed.column_type, fed.limit) == ("fed", "int2", 2**15 - 1)


def test_a_sequence_that_was_never_asked_is_left_out(state: ServerState) -> None:
    assert not [s for s in state.sequences if s.table == "wide"]


def test_a_cycle_is_known_as_such(state: ServerState) -> None:
    assert [s.name for s in state.sequences if s.cycles] == ["circling"]


def test_the_options_of_a_table_decide_its_thresholds(state: ServerState) -> None:
    cared = state.upkeep_of("cared")
    assert cared is not None
    assert not cared.autovacuum
    assert cared.vacuum_threshold == pytest.approx(7 + 0.5 * 1000)
    assert cared.analyze_threshold == pytest.approx(50 + 0.1 * 1000)
    assert cared.analyzed_s is not None
    assert cared.vacuumed_s is None


def test_an_unlogged_table_is_known_as_such(state: ServerState) -> None:
    assert [u.table for u in state.upkeep if u.unlogged] == ["light"]


def test_an_unfinished_index_that_nobody_builds_is_known(state: ServerState) -> None:
    (broken,) = state.invalid_indexes
    assert (broken.name, broken.table, broken.building) == ("public.broken", "t", False)


def test_a_lock_as_of_a_builder_makes_it_unsure(url: str) -> None:
    with connected(url) as builder:
        builder.execute("BEGIN")
        builder.execute("LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE")
        seen, _ = look(url)
    (broken,) = seen.invalid_indexes
    assert broken.building


def test_an_idle_slot_is_found_with_what_it_holds(server: PrivateServer, url: str) -> None:
    run(url, "SELECT pg_create_physical_replication_slot('idle_one', true)")
    try:
        (slot,) = look(url)[0].slots
    finally:
        run(url, "SELECT pg_drop_replication_slot('idle_one')")
    assert (slot.name, slot.type, slot.active) == ("idle_one", "physical", False)
    assert slot.retained_bytes is not None


def test_a_role_without_permissions_is_told_which_it_lacks(server: PrivateServer, url: str) -> None:
    with restricted(server, url) as theirs:
        seen, notes = look(theirs)
    told = "\n".join(notes)
    assert 'GRANT pg_monitor TO "looker"' in told
    assert 'GRANT SELECT ON ALL TABLES IN SCHEMA "shop" TO "looker"' in told
    assert 'GRANT SELECT ON ALL SEQUENCES IN SCHEMA "public" TO "looker"' in told
    assert not seen.privileged
    assert seen.upkeep_of("cared") is not None
    assert seen.setting("work_mem") is not None


def test_pg_monitor_is_enough_to_see_sessions(server: PrivateServer, url: str) -> None:
    with restricted(server, url, "GRANT pg_monitor TO looker") as theirs:
        seen, notes = look(theirs)
    assert seen.privileged
    assert not [note for note in notes if "pg_monitor" in note]


def test_the_target_is_looked_at_read_only(url: str) -> None:
    connection = open_target(parse_target(url))
    try:
        seen, notes = read_server(connection, watch_s=0.0, clock=SystemClock())
    finally:
        connection.close()
    assert notes == ()
    assert seen.sequences


def test_one_failing_question_does_not_stop_the_others(url: str) -> None:
    connection = open_database(url)
    try:
        connection.execute("SET ROLE pg_monitor")
        connection.execute("CREATE TEMP TABLE pg_stat_bgwriter (nothing int)")
        connection.execute("SET search_path = pg_temp, pg_catalog, public")
        seen, notes = read_server(connection, watch_s=0.0, clock=SystemClock())
    finally:
        connection.close()
    assert any(note.startswith("checkpoints could not be read") for note in notes)
    assert seen.checkpoints is None
    assert seen.counters is not None
