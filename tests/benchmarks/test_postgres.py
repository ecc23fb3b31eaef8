"""Where the private server's programs are looked for, and how it is ended."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks._postgres import NoServerError, PrivateServer, private_server


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The helper on a machine that has none of the programs."""
    module = importlib.import_module("_postgres")
    monkeypatch.setattr(module, "DEBIAN", tmp_path / "library")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv(module.REQUIRED, raising=False)
    monkeypatch.delenv(module.CHOSEN, raising=False)
    return module


def put_programs(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (folder / name).touch(mode=0o755)
    return folder


def test_the_newest_version_is_taken(postgres: ModuleType) -> None:
    put_programs(postgres.DEBIAN / "9" / "bin")
    newest = put_programs(postgres.DEBIAN / "17" / "bin")
    put_programs(postgres.DEBIAN / "15" / "bin")
    assert postgres.find_programs() == newest


def test_a_client_without_a_server_does_not_count(postgres: ModuleType) -> None:
    (postgres.DEBIAN / "17" / "bin").mkdir(parents=True)
    with pytest.raises(postgres.NoServerError):
        postgres.find_programs()


def test_programs_on_path_do(postgres: ModuleType, tmp_path: Path) -> None:
    folder = put_programs(tmp_path / "bin")
    assert postgres.find_programs() == folder


def test_chosen_programs_come_first(
    postgres: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_programs(postgres.DEBIAN / "17" / "bin")
    chosen = put_programs(tmp_path / "own")
    monkeypatch.setenv(postgres.CHOSEN, f"{tmp_path / 'gone'}{os.pathsep}{chosen}")
    assert postgres.find_programs() == chosen


def test_without_programs_the_error_says_what_installs_them(postgres: ModuleType) -> None:
    with pytest.raises(postgres.NoServerError, match=r"scripts/install_postgresql\.sh"):
        postgres.find_programs()


def test_where_a_server_is_required_nothing_may_be_skipped(
    postgres: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(postgres.REQUIRED, "1")
    with pytest.raises(postgres.RequiredServerError) as raised:
        postgres.find_programs()
    assert not isinstance(raised.value, postgres.NoServerError)


@pytest.fixture
def stopped() -> Iterator[PrivateServer]:
    """A server that is down before its context ends."""
    try:
        with private_server({"shared_buffers": "16MB"}) as server:
            server.stop()
            yield server
    except NoServerError as error:
        pytest.skip(str(error))


def test_a_server_that_does_not_start_shows_the_end_of_its_log(stopped: PrivateServer) -> None:
    with (stopped.folder / "data" / "postgresql.conf").open("a") as file:
        file.write("max_connections = 'a herd'\n")
    with pytest.raises(RuntimeError, match='max_connections": "a herd"'):
        stopped.start()


def test_a_server_that_is_down_is_not_stopped_again(stopped: PrivateServer) -> None:
    assert not stopped.is_running  # and the end of its context raises nothing
