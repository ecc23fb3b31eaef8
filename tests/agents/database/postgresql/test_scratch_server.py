"""The private server that holds the copies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from perfwright.agents.database.postgresql.probes import scratch_server
from perfwright.agents.database.postgresql.probes.scratch_server import (
    PREFIX,
    PROGRAMS_VARIABLE,
    Programs,
    ScratchServer,
    find_programs,
    start_server,
    sweep_servers,
)
from perfwright.core import TargetError, is_alive
from tests.postgresql import connected


@pytest.fixture
def programs() -> Programs:
    for major in range(13, 20):
        found = find_programs(major)
        if found is not None:
            return found
    pytest.skip("no PostgreSQL server programs")


@pytest.fixture
def own(programs: Programs) -> Iterator[ScratchServer]:
    made = start_server(programs, settings={"work_mem": "3MB"}, owner=own_pid(), name="test")
    yield made
    made.stop()


def own_pid() -> int:
    return os.getpid()


def postmaster(server: ScratchServer) -> int:
    return int((server.folder / "data" / "postmaster.pid").read_text().split()[0])


def test_it_answers_on_a_socket_of_its_own(own: ScratchServer) -> None:
    with connected(own.url("postgres")) as connection:
        listening = connection.execute("show listen_addresses").fetchone()
        work_mem = connection.execute("show work_mem").fetchone()
    assert (listening, work_mem) == (("",), ("3MB",))


def test_stopping_leaves_no_process_and_no_folder(programs: Programs) -> None:
    server = start_server(programs, settings={}, owner=own_pid(), name="test")
    pid = postmaster(server)
    server.stop()
    server.stop()
    assert not server.folder.exists()
    assert_ends(pid)


def assert_ends(pid: int) -> None:
    for _ in range(600):
        if not is_alive(pid):
            return
        subprocess.run(["sleep", "0.05"], check=True)
    raise AssertionError(f"process {pid} did not end")


def test_it_ends_with_its_owner(programs: Programs) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        server = start_server(programs, settings={}, owner=owner.pid, name="test")
        pid = postmaster(server)
        owner.kill()
    assert_ends(pid)


def test_a_restart_keeps_the_databases(own: ScratchServer) -> None:
    with connected(own.url("postgres")) as connection:
        connection.execute("create database kept")
    own.restart()
    with connected(own.url("kept")) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_what_a_dead_owner_left_is_swept_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    monkeypatch.setattr(scratch_server, "servers_folder", lambda: tmp_path)
    left, mine = tmp_path / f"{PREFIX}{dead.pid}-x", tmp_path / f"{PREFIX}{own_pid()}-x"
    left.mkdir()
    mine.mkdir()
    sweep_servers()
    assert (left.exists(), mine.exists()) == (False, True)


def test_a_server_that_does_not_start_says_why(programs: Programs) -> None:
    with pytest.raises(TargetError, match="no private server"):
        start_server(programs, settings={"no_such_setting": "1"}, owner=own_pid(), name="shop")


def test_a_version_that_is_not_installed_is_not_found() -> None:
    assert find_programs(3) is None


def test_programs_in_a_named_folder_come_first(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "bin"
    own.symlink_to(programs.folder)
    monkeypatch.setenv(PROGRAMS_VARIABLE, f"{tmp_path / 'gone'}{os.pathsep}{own}")
    assert find_programs(programs.major) == Programs(folder=own, major=programs.major)


def test_a_named_folder_of_another_version_is_passed_over(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROGRAMS_VARIABLE, str(programs.folder))
    assert find_programs(3) is None


def test_a_refused_connection_is_a_clear_error(own: ScratchServer) -> None:
    own.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(own.url("postgres"))
