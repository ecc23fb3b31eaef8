"""What every kind of change promises. A new kind is one line in `CHANGES`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from perfwright.core import Change, ChangeSpec
from perfwright.experiments.changes import SqliteChange, spec_from_sql
from tests.experiments.changes.databases import make, seen


@dataclass(frozen=True)
class Case:
    """A change, and a look at all that it could alter."""

    change: Change
    look: Callable[[], object]


@dataclass
class MemoryChange:
    """A setting in a dictionary: the simplest change that keeps the promises."""

    settings: dict[str, str]
    spec: ChangeSpec = field(
        default=ChangeSpec(
            kind="memory", subject="x", apply=("x = 1",), revert=("x = 0",), summary="set x"
        )
    )

    def apply(self) -> None:
        self.settings["x"] = "1"

    def revert(self) -> None:
        self.settings["x"] = "0"

    def describe(self) -> str:
        return self.spec.summary


def in_memory(_: Path) -> Case:
    settings = {"x": "0"}
    return Case(MemoryChange(settings), lambda: dict(settings))


def in_sqlite(sql: str) -> Callable[[Path], Case]:
    def build(folder: Path) -> Case:
        database = make(folder / "shop.db")
        change = SqliteChange(database, spec_from_sql(database, sql))
        return Case(change, lambda: seen(database))

    return build


CHANGES: dict[str, Callable[[Path], Case]] = {
    "a fake": in_memory,
    "a new SQLite index": in_sqlite("CREATE INDEX t_c ON t(c)"),
    "a dropped SQLite index": in_sqlite("DROP INDEX t_a"),
    "SQLite statistics": in_sqlite("ANALYZE"),
    "an SQLite script": in_sqlite("CREATE INDEX t_c ON t(c); DROP INDEX t_a; ANALYZE"),
}


@pytest.fixture(params=CHANGES)
def case(request: pytest.FixtureRequest, own_folder: Path) -> Case:
    return CHANGES[request.param](own_folder)


def test_applying_alters_the_target(case: Case) -> None:
    before = case.look()
    case.change.apply()
    assert case.look() != before


def test_taking_back_restores_the_target(case: Case) -> None:
    before = case.look()
    case.change.apply()
    case.change.revert()
    assert case.look() == before


def test_applying_twice_is_applying_once(case: Case) -> None:
    case.change.apply()
    once = case.look()
    case.change.apply()
    assert case.look() == once


def test_taking_back_twice_is_taking_back_once(case: Case) -> None:
    before = case.look()
    case.change.apply()
    case.change.revert()
    case.change.revert()
    assert case.look() == before


def test_taking_back_what_was_never_applied_changes_nothing(case: Case) -> None:
    before = case.look()
    case.change.revert()
    assert case.look() == before


def test_a_change_can_be_made_again_after_it_was_taken_back(case: Case) -> None:
    case.change.apply()
    applied = case.look()
    case.change.revert()
    case.change.apply()
    assert case.look() == applied


def test_building_and_describing_change_nothing(case: Case) -> None:
    before = case.look()
    text = case.change.describe()
    assert case.look() == before
    assert text
    assert "\n" not in text


def test_the_inverse_is_known_before_the_change_is_made(case: Case) -> None:
    assert case.change.spec.apply
    assert case.change.spec.revert
    assert case.change.spec.kind
