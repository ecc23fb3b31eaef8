"""Copies on a server that the user names, made by a role that may do little more than that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database import DatabasePerformanceAgent
from perfwright.core import Arm, TargetError
from tests.agents.database.postgresql.shop import SCHEMA, write_workload
from tests.postgresql import connected, new_database, run


@pytest.fixture(scope="module")
def shop(server: PrivateServer) -> Iterator[str]:
    with new_database(server, *SCHEMA) as url:
        yield url


@pytest.fixture
def maker(server: PrivateServer) -> Iterator[str]:
    """A database whose role may create others, and is no superuser."""
    run(server.url(), "CREATE ROLE maker LOGIN CREATEDB")
    with new_database(server) as url:
        yield url.replace("postgres@", "maker@")
    run(server.url(), "DROP ROLE maker")


def databases(server: PrivateServer) -> set[str]:
    with connected(server.url()) as admin:
        return {name for (name,) in admin.execute("SELECT datname FROM pg_database").fetchall()}


def test_a_role_that_may_create_databases_is_enough(
    server: PrivateServer, shop: str, maker: str, tmp_path: Path
) -> None:
    before = databases(server)
    workload = write_workload(tmp_path / "w.jsonl")
    agent = DatabasePerformanceAgent(shop, workload=workload, scratch_url=maker)
    try:
        seen = agent.examine()
        assert any(note.startswith("measured on databases on 127.0.0.1") for note in seen.notes)
        bench = agent.bench(None)
        assert bench.measure(Arm.A)["workload"] > 0
        bench.close()
        assert databases(server) > before
    finally:
        agent.close()
    assert databases(server) == before


@pytest.mark.parametrize(
    ("role", "says"), [("postgres", "is the target itself"), ("stranger", "ALTER ROLE")]
)
def test_a_place_that_cannot_be_used_is_refused(
    role: str, says: str, server: PrivateServer, shop: str
) -> None:
    run(server.url(), "CREATE ROLE stranger LOGIN")
    url = shop if role == "postgres" else server.url(user=role)
    try:
        agent = DatabasePerformanceAgent(shop, scratch_url=url)
        with pytest.raises(TargetError, match=says):
            agent.examine()
    finally:
        run(server.url(), "DROP ROLE stranger")


def test_client_programs_are_enough_there(
    shop: str,
    maker: str,
    server: PrivateServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from perfwright.agents.database.postgresql.probes import scratch_server

    for name in ("pg_dump", "psql"):
        (tmp_path / name).symlink_to(server.programs / name)
    monkeypatch.setattr(scratch_server, "_folders", lambda _: iter([tmp_path]))
    with connected(shop) as connection:
        major = connection.info.server_version // 10_000
    assert scratch_server.find_programs(major) is None
    found = scratch_server.find_programs(major, client_only=True)
    assert found is not None
    agent = DatabasePerformanceAgent(
        shop, workload=write_workload(tmp_path / "w.jsonl"), scratch_url=maker
    )
    try:
        agent.examine()
        assert any(o.cost is not None for o in agent.artifacts.workload or ())
    finally:
        agent.close()
