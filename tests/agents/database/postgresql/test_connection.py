"""Sessions with the limits that they need, whatever is set for everybody."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.postgresql.probes.connection import open_database, open_target
from perfwright.core import parse_target
from tests.postgresql import connected


def shown(url: str, name: str, *, as_target: bool = True) -> str:
    opened = open_target(parse_target(url)) if as_target else open_database(url)
    with opened as connection:
        row = connection.execute(f"SHOW {name}").fetchone()
    assert row is not None
    return str(row[0])


def test_the_target_is_opened_read_only_with_limits(database: str) -> None:
    assert shown(database, "default_transaction_read_only") == "on"
    assert shown(database, "statement_timeout") == "30s"
    assert shown(database, "lock_timeout") == "1s"


@pytest.mark.parametrize(
    ("setting", "since"), [("idle_session_timeout", 140_000), ("transaction_timeout", 170_000)]
)
def test_a_limit_for_everybody_does_not_end_a_session_of_ours(
    server: PrivateServer, database: str, setting: str, since: int
) -> None:
    with connected(server.url()) as admin:
        if admin.info.server_version < since:
            pytest.skip(f"{setting} is newer than this server")
        name = database.rpartition("/")[2]
        admin.execute(f"ALTER DATABASE {name} SET {setting} = '5min'".encode())
    assert shown(database, setting) == "0"
    assert shown(database, setting, as_target=False) == "0"


def test_options_in_the_url_are_kept(database: str) -> None:
    url = f"{database}?options={quote('-c search_path=elsewhere')}"
    assert shown(url, "search_path") == "elsewhere"
    assert shown(url, "default_transaction_read_only") == "on"
