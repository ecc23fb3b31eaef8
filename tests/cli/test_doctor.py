"""What doctor finds, and the command that it names for what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.postgresql.probes import readiness
from perfwright.agents.database.postgresql.probes.scratch_server import PROGRAMS_VARIABLE, Programs
from tests.cli.calling import Caller
from tests.postgresql import connected, new_database, run
from tests.system.shops import make_shop

Checks = dict[str, dict[str, Any]]


def checks(perfwright: Caller, *arguments: object, code: int = 0) -> Checks:
    """The checks of one call, by name."""
    done = perfwright("doctor", *arguments, "--json")
    assert done.code == code, done
    return {check["name"]: check for check in json.loads(done.out)["checks"]}


@contextmanager
def role(server: PrivateServer, name: str, *grants: str) -> Iterator[None]:
    """A role of the server, with rights."""
    with connected(server.url()) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
    run(server.url(), *grants)
    try:
        yield
    finally:
        with connected(server.url()) as admin:
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def programs_of(*majors: int, extensions: frozenset[str] = frozenset()) -> Any:
    """Stands in for `installed_version`: servers of these versions only."""

    def installed(major: int) -> readiness.Installed | None:
        if major not in majors:
            return None
        programs = Programs(folder=Path(f"/pg/{major}/bin"), major=major)
        return readiness.Installed(programs=programs, server=True, extensions=extensions)

    return installed


# This machine


@pytest.mark.parametrize(
    ("library", "remedy"),
    [
        ("psycopg", "pip install 'perfwright[postgres]'"),
        ("optuna", "pip install 'perfwright[tuning]'"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    library: str, remedy: str, perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perfwright.cli.doctor_command.find_spec", lambda _: None)
    assert checks(perfwright)[library]["remedy"] == remedy


def test_the_versions_with_a_server_are_listed(
    perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "installed_version", programs_of(14, 16))
    check = checks(perfwright)["PostgreSQL programs"]
    assert check["ok"]
    assert check["found"] == "14 (server, pg_dump, psql), 16 (server, pg_dump, psql)"


def test_a_version_with_client_programs_only_makes_no_private_server(
    perfwright: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pg_dump", "psql"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 18.3'\n", encoding="utf-8")
        program.chmod(0o755)
    monkeypatch.setenv(PROGRAMS_VARIABLE, str(tmp_path))
    found = readiness.installed_version(18)
    assert found is not None
    assert not found.server
    assert "18 (pg_dump, psql)" in checks(perfwright)["PostgreSQL programs"]["found"]


def test_without_any_version_the_package_is_named(
    perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "installed_version", programs_of())
    found = checks(perfwright)
    assert not found["PostgreSQL programs"]["ok"]
    assert "apt-get install postgresql" in found["PostgreSQL programs"]["remedy"]
    assert "HypoPG" not in found


def test_hypopg_is_looked_for_beside_the_server_programs(
    perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "installed_version", programs_of(15))
    check = checks(perfwright)["HypoPG"]
    assert (check["ok"], check["remedy"]) == (
        False,
        "on Debian: apt-get install postgresql-15-hypopg",
    )
    with_it = programs_of(15, extensions=frozenset({"hypopg"}))
    monkeypatch.setattr(readiness, "installed_version", with_it)
    assert checks(perfwright)["HypoPG"]["found"] == "for 15"


# A target


def test_a_sqlite_target_is_named_with_its_size(perfwright: Caller, tmp_path: Path) -> None:
    make_shop(tmp_path / "shop.db", rows=20)
    check = checks(perfwright, "shop.db")["target"]
    assert check["ok"]
    assert check["found"].startswith("sqlite:///shop.db, ")


def test_a_target_that_is_not_there_is_an_error(perfwright: Caller) -> None:
    check = checks(perfwright, "nowhere.db", code=2)["target"]
    assert "no such file" in check["found"]


def test_a_server_that_does_not_answer_is_an_error(perfwright: Caller) -> None:
    check = checks(perfwright, "postgresql://me@127.0.0.1:1/shop", code=2)["connection"]
    assert (check["ok"], check["required"]) == (False, True)
    assert check["remedy"] == "check host and port, and that the server runs"


def test_a_password_in_a_url_is_not_shown(
    perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "")
    done = perfwright("doctor", "postgresql://me:geheim@127.0.0.1:1/shop")
    assert done.code == 2
    assert "me:***@" in done.out
    assert "geheim" not in done.out + done.err


def test_a_superuser_of_a_small_database_misses_nothing_that_matters(
    perfwright: Caller, database: str
) -> None:
    run(database, "CREATE TABLE t (id int)", "CREATE EXTENSION pg_stat_statements")
    found = checks(perfwright, database)
    for name in ("connection", "pg_stat_statements", "statistics of others", "rows", "copy"):
        assert found[name]["ok"], found[name]
    assert found["rows"]["found"] == "1 of 1 tables may be read"
    assert found["apply"]["found"] == "1 of 1 tables may be given indexes"


def test_each_missing_right_is_named_with_its_grant(
    perfwright: Caller, server: PrivateServer
) -> None:
    with role(server, "Stranger"), new_database(server, "CREATE TABLE t (id int)") as url:
        theirs = url.replace("postgres@", "Stranger@")
        found = checks(perfwright, theirs)
    assert found["statistics of others"]["remedy"] == 'GRANT pg_monitor TO "Stranger"'
    assert found["rows"]["found"] == "0 of 1 tables may be read"
    assert found["rows"]["remedy"] == 'GRANT pg_read_all_data TO "Stranger"'
    assert found["log of statements"]["ok"] is False
    assert found["apply"]["ok"] is False


def test_the_grants_that_are_named_are_enough(perfwright: Caller, server: PrivateServer) -> None:
    with role(server, "Stranger"), new_database(server, "CREATE TABLE t (id int)") as url:
        theirs = url.replace("postgres@", "Stranger@")
        before = checks(perfwright, theirs)
        run(url, *(before[name]["remedy"] for name in ("statistics of others", "rows")))
        after = checks(perfwright, theirs)
    assert after["statistics of others"]["ok"]
    assert after["rows"]["ok"]


def test_a_role_is_never_told_to_become_a_superuser(
    perfwright: Caller, server: PrivateServer
) -> None:
    with role(server, "stranger"), new_database(server, "CREATE TABLE t (id int)") as url:
        remedy = checks(perfwright, url.replace("postgres@", "stranger@"))["apply"]["remedy"]
    assert "GRANT" not in remedy
    assert "owner" in remedy


def test_the_owner_of_the_tables_is_named_for_apply(
    perfwright: Caller, server: PrivateServer
) -> None:
    made = ("CREATE TABLE t (id int)", "ALTER TABLE t OWNER TO clerk")
    with role(server, "stranger"), role(server, "clerk"), new_database(server, *made) as url:
        found = checks(perfwright, url.replace("postgres@", "stranger@"))
    assert 'GRANT "clerk" TO "stranger"' in found["apply"]["remedy"]


def test_a_missing_extension_is_named_with_its_command(perfwright: Caller, database: str) -> None:
    found = checks(perfwright, database)
    assert found["pg_trgm"]["remedy"] == "run in it: CREATE EXTENSION pg_trgm"
    assert "CREATE EXTENSION pg_stat_statements" in found["pg_stat_statements"]["remedy"]
    run(database, "CREATE EXTENSION pg_trgm", "CREATE EXTENSION pg_stat_statements")
    found = checks(perfwright, database)
    assert found["pg_trgm"]["ok"]
    assert found["pg_stat_statements"]["ok"]


def test_a_version_that_is_not_on_this_machine_makes_no_copy(
    perfwright: Caller, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "installed_version", programs_of())
    with psycopg.connect(database) as connection:
        major = connection.info.server_version // 10_000
    check = checks(perfwright, database)["copy"]
    assert not check["ok"]
    assert f"apt-get install postgresql-{major}" in check["remedy"]
    assert "--scratch-url" in check["remedy"]


def test_extensions_that_the_copy_would_lack_are_named(
    perfwright: Caller, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(database, "CREATE EXTENSION pg_trgm")
    few = programs_of(*range(13, 20), extensions=frozenset({"plpgsql"}))
    monkeypatch.setattr(readiness, "installed_version", few)
    check = checks(perfwright, database)["extensions of the copy"]
    assert check["found"] == "not on this machine: pg_trgm"


def test_a_copy_that_does_not_fit_is_said_to_be_sampled(
    perfwright: Caller, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(database, "CREATE TABLE t AS SELECT generate_series(1, 5000) AS id")
    monkeypatch.setattr(readiness, "copy_room", lambda: 1024)
    check = checks(perfwright, database)["room for the copy"]
    assert not check["ok"]
    assert "sampled" in check["needed_for"]


def test_a_configured_place_for_copies_needs_no_server_here(
    perfwright: Caller, database: str, tmp_path: Path
) -> None:
    text = f'[database]\nurl = "{database}"\nscratch = "{database}"\n'
    (tmp_path / "perfwright.toml").write_text(text, encoding="utf-8")
    assert "[database] scratch" in checks(perfwright, tmp_path)["copy"]["found"]


def test_nothing_is_left_open_on_the_server(perfwright: Caller, database: str) -> None:
    checks(perfwright, database)
    with connected(database) as admin:
        left = admin.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'perfwright'"
        ).fetchone()
    assert left == (0,)


def test_the_checks_of_postgresql_end_with_apply(perfwright: Caller, database: str) -> None:
    assert list(checks(perfwright, database))[-1] == "apply"
