"""Who runs the statements of a database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.postgresql.probes.connection import open_database
from perfwright.agents.database.postgresql.probes.roles import read_roles
from perfwright.agents.database.server import RoleSetting
from tests.postgresql import connected, new_database, run


@pytest.fixture(scope="module")
def roles(server: PrivateServer) -> Iterator[None]:
    run(server.url(), "CREATE ROLE tuned_app LOGIN", "CREATE ROLE tuned_other LOGIN")
    yield
    run(server.url(), "DROP ROLE tuned_app", "DROP ROLE tuned_other")


def as_role(url: str, role: str) -> str:
    return url.replace("postgres@", f"{role}@")


@pytest.mark.usefixtures("roles")
class TestRoles:
    """Needs two roles besides the superuser."""

    def test_settings_of_this_database_and_its_roles_are_read(self, server: PrivateServer) -> None:
        with new_database(server) as url, new_database(server) as other:
            name, away = url.rpartition("/")[2], other.rpartition("/")[2]
            run(
                url,
                f"ALTER DATABASE {name} SET work_mem TO '8MB'",
                f"ALTER ROLE tuned_app IN DATABASE {name} SET jit TO off",
                "ALTER ROLE tuned_other SET random_page_cost TO 1.1",
                f"ALTER DATABASE {away} SET work_mem TO '9MB'",
                f"ALTER DATABASE {name} SET my.secret TO 'a=b'",
            )
            with open_database(url) as connection:
                found = read_roles(connection)
        assert found.database == name
        assert found.settings == (
            RoleSetting(name="jit", value="off", role="tuned_app", database=name),
            RoleSetting(name="random_page_cost", value="1.1", role="tuned_other"),
            RoleSetting(name="work_mem", value="8MB", database=name),
        )

    def test_without_counters_the_role_of_all_sessions_runs_the_workload(
        self, server: PrivateServer
    ) -> None:
        with new_database(server) as url, open_database(url) as connection:
            assert read_roles(connection).workload_role == ""
            with connected(as_role(url, "tuned_app")):
                assert read_roles(connection).workload_role == "tuned_app"
                with connected(as_role(url, "tuned_other")):
                    assert read_roles(connection).workload_role == ""

    def test_counted_statements_tell_the_role(self, server: PrivateServer) -> None:
        with new_database(server, "CREATE EXTENSION pg_stat_statements") as url:
            asked = ["SELECT count(*) FROM generate_series(1, 200000)"] * 30
            run(as_role(url, "tuned_app"), *asked)
            with open_database(url) as connection:
                assert read_roles(connection).workload_role == "tuned_app"

    def test_many_calls_of_one_and_much_time_of_another_tell_nothing(
        self, server: PrivateServer
    ) -> None:
        with new_database(server, "CREATE EXTENSION pg_stat_statements") as url:
            run(as_role(url, "tuned_app"), *["SELECT 1"] * 60)
            run(as_role(url, "tuned_other"), "SELECT count(*) FROM generate_series(1, 3000000)")
            with open_database(url) as connection:
                assert read_roles(connection).workload_role == ""
