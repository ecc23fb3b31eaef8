"""Settings as statements, forwards and back."""

from __future__ import annotations

import pytest

from perfwright.agents.database.postgresql.setting_changes import (
    overridden,
    session_form,
    setting_change,
)
from perfwright.agents.database.server import RoleSetting, ServerState
from perfwright.core import ChangeError, ChangeSpec
from perfwright.experiments.changes import POSTGRESQL_SETTING, is_allowed_postgresql

TEXTS = {"work_mem": "64MB", "jit": "off"}
HOSTILE = """o'ne "SET jit TO 'on' """


def server(*settings: RoleSetting, role: str = "app", database: str = "shop") -> ServerState:
    return ServerState(database=database, workload_role=role, role_settings=settings)


def given(*statements: str) -> ChangeSpec:
    return ChangeSpec(
        kind=POSTGRESQL_SETTING, subject="", apply=statements, revert=(), summary="a setting"
    )


def test_settings_are_for_the_role_in_the_database() -> None:
    change = setting_change(server(), TEXTS)
    assert change.kind == POSTGRESQL_SETTING
    assert change.apply == (
        'ALTER ROLE "app" IN DATABASE "shop" SET work_mem TO \'64MB\'',
        'ALTER ROLE "app" IN DATABASE "shop" SET jit TO \'off\'',
    )
    assert change.revert == (
        'ALTER ROLE "app" IN DATABASE "shop" RESET work_mem',
        'ALTER ROLE "app" IN DATABASE "shop" RESET jit',
    )


def test_of_an_unknown_role_they_are_for_the_database() -> None:
    change = setting_change(server(role=""), {"jit": "off"})
    assert change.apply == ("ALTER DATABASE \"shop\" SET jit TO 'off'",)
    assert change.revert == ('ALTER DATABASE "shop" RESET jit',)


def test_what_was_set_before_comes_back() -> None:
    before = RoleSetting(name="work_mem", value="8MB", role="app", database="shop")
    (back,) = setting_change(server(before), {"work_mem": "64MB"}).revert
    assert back == 'ALTER ROLE "app" IN DATABASE "shop" SET work_mem TO \'8MB\''


@pytest.mark.parametrize(
    "elsewhere",
    [
        RoleSetting(name="work_mem", value="8MB", role="app"),
        RoleSetting(name="work_mem", value="8MB", database="shop"),
        RoleSetting(name="work_mem", value="8MB", role="other", database="shop"),
    ],
)
def test_what_is_set_elsewhere_is_left_there(elsewhere: RoleSetting) -> None:
    (back,) = setting_change(server(elsewhere), {"work_mem": "64MB"}).revert
    assert back.endswith("RESET work_mem")


@pytest.mark.parametrize("role", ["", "app", HOSTILE])
@pytest.mark.parametrize("database", ["shop", HOSTILE])
def test_the_statements_are_those_that_may_be_carried_out(role: str, database: str) -> None:
    before = RoleSetting(name="jit", value="on", role=role, database=database)
    change = setting_change(server(before, role=role, database=database), TEXTS)
    assert all(map(is_allowed_postgresql, (*change.apply, *change.revert)))


@pytest.mark.parametrize("role", ["", "app", HOSTILE])
def test_a_session_gets_the_same_values(role: str) -> None:
    change = setting_change(server(role=role, database=HOSTILE), TEXTS)
    assert session_form(change) == ("SET work_mem TO '64MB'", "SET jit TO 'off'")


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("ALTER ROLE app SET work_mem = '8MB'", "SET work_mem TO '8MB'"),
        ("alter database shop set random_page_cost to 1.1;", "SET random_page_cost TO 1.1"),
        ("ALTER DATABASE shop RESET jit", "SET jit TO DEFAULT"),
        ("ALTER ROLE app IN DATABASE shop SET jit=off", "SET jit TO off"),
    ],
)
def test_a_session_understands_what_users_write(statement: str, expected: str) -> None:
    assert session_form(given(statement)) == (expected,)


@pytest.mark.parametrize("statement", ["ALTER ROLE app LOGIN", "DROP ROLE app", "SELECT 1"])
def test_what_sets_nothing_is_refused(statement: str) -> None:
    with pytest.raises(ChangeError, match="sets nothing"):
        session_form(given(statement))


def test_settings_of_roles_stand_above_those_of_a_database() -> None:
    own = RoleSetting(name="work_mem", value="8MB", role="app")
    assert overridden(server(own, role="")) == {"work_mem"}
    assert overridden(server(own)) == frozenset()
