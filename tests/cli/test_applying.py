"""How proven changes come to the real target, whatever happened to it since the proof."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from perfwright.cli.running import open_and_report
from perfwright.core import RevertError, SystemClock
from perfwright.experiments.changes import SqliteChange
from perfwright.experiments.ledger import ChangeState, Ledger
from tests.cli.calling import Caller, assert_refused
from tests.system.shops import RUN, dump, indexes, make_proven, make_shop

FIRST = "CREATE INDEX pw_customer ON orders(customer)"
SECOND = "CREATE INDEX pw_state ON orders(state)"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop.db", rows=50)


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_an_index_that_the_user_made_meanwhile_is_not_taken_over(
    shop: Path, tmp_path: Path, perfwright: Caller
) -> None:
    make_proven(tmp_path, shop, FIRST)
    execute(shop, FIRST)
    assert_refused(perfwright("apply", "last", "--yes"), "exists already")
    perfwright("undo", "--all")
    assert indexes(shop) == {"pw_customer"}


def test_an_index_that_is_gone_meanwhile_is_not_dropped(
    shop: Path, tmp_path: Path, perfwright: Caller
) -> None:
    execute(shop, "CREATE INDEX own ON orders(total)")
    make_proven(tmp_path, shop, "DROP INDEX own")
    execute(shop, "DROP INDEX own")
    assert_refused(perfwright("apply", "last", "--yes"), "there is no index own")


def test_statistics_gathered_since_the_proof_are_restored_by_undo(
    shop: Path, tmp_path: Path, perfwright: Caller
) -> None:
    make_proven(tmp_path, shop, "ANALYZE")
    execute(shop, SECOND, "ANALYZE", "DELETE FROM orders WHERE id % 2")
    before = dump(shop)
    assert perfwright("apply", "last", "--yes").code == 0
    assert dump(shop) != before
    assert perfwright("undo", "--all").code == 0
    assert dump(shop) == before


def test_a_crash_in_the_last_change_leaves_those_before_it_exactly(
    shop: Path, tmp_path: Path, perfwright: Caller
) -> None:
    execute(shop, "CREATE INDEX own ON orders(total)", "ANALYZE")
    make_proven(tmp_path, shop, FIRST, "DROP INDEX own", "ANALYZE")
    for number in (1, 2):
        perfwright("apply", f"{RUN}.{number}", "--yes")
    kept = dump(shop)
    perfwright("apply", f"{RUN}.3", "--yes")
    ledger = Ledger(tmp_path / ".perfwright" / "ledger.db", clock=SystemClock())
    ledger.mark(ledger.change(f"{RUN}.3/1"), ChangeState.APPLIED)
    ledger.close()
    done = perfwright("ledger")
    assert "was left undecided by a crash and was taken back" in done.err
    assert dump(shop) == kept


def test_an_undo_that_failed_is_not_called_a_crash_when_it_is_ended_later(
    shop: Path, tmp_path: Path, perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_proven(tmp_path, shop, FIRST)
    perfwright("apply", "last", "--yes")

    def fail(_: SqliteChange) -> None:
        raise RevertError(change="c", problem="no space left", inverse="x", partial=True)

    with monkeypatch.context() as broken:
        broken.setattr(SqliteChange, "revert", fail)
        done = perfwright("undo", "--all")
        assert_refused(done, "no space left", "It is half done: the next start", "--forget")
    done = perfwright("ledger")
    assert "was left half taken back (failed: no space left) and was taken back" in done.err
    assert "crash" not in done.err
    assert indexes(shop) == set()


def test_many_changes_are_undone_to_the_start(
    shop: Path, tmp_path: Path, perfwright: Caller
) -> None:
    before = dump(shop)
    columns = ("customer", "state", "total", "note")
    made = [f"CREATE INDEX pw_{n} ON orders({columns[n % 4]}, id)" for n in range(11)]
    make_proven(tmp_path, shop, *made, "ANALYZE")
    perfwright("apply", "last", "--yes")
    assert perfwright("undo", "--all").code == 0
    assert dump(shop) == before


def test_two_analyses_of_two_runs_are_undone_newest_first(
    shop: Path, tmp_path: Path, perfwright: Caller
) -> None:
    before = dump(shop)
    make_proven(tmp_path, shop, "ANALYZE", run="zz")
    perfwright("apply", "zz", "--yes")
    execute(shop, "DELETE FROM orders WHERE id > 20")
    make_proven(tmp_path, shop, "ANALYZE", run="aa")
    perfwright("apply", "aa", "--yes")
    assert perfwright("undo", "--all").code == 0
    assert "sqlite_stat1" not in dump(shop)
    assert before != dump(shop)  # the user's own deletion stays


def test_an_undone_change_can_be_applied_again(
    shop: Path, tmp_path: Path, perfwright: Caller
) -> None:
    make_proven(tmp_path, shop, FIRST)
    for command in (("apply", "last", "--yes"), ("undo", RUN), ("apply", "last", "--yes")):
        assert perfwright(*command).code == 0
    assert indexes(shop) == {"pw_customer"}


def test_a_target_that_another_program_writes_to_is_not_changed(
    shop: Path, tmp_path: Path, perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_proven(tmp_path, shop, FIRST)
    monkeypatch.setattr("perfwright.experiments.changes.sqlite.change.BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(shop)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        assert_refused(perfwright("apply", "last", "--yes"), "another process has held it")
    assert indexes(shop) == set()
    with open_and_report(None) as workspace:
        (entry,) = workspace.ledger.changes()
    assert entry.state is ChangeState.FAILED


def test_a_termination_while_a_change_is_made_takes_it_back(
    shop: Path, tmp_path: Path, perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_proven(tmp_path, shop, FIRST)
    before, apply = dump(shop), SqliteChange.apply

    def terminated(change: SqliteChange) -> None:
        apply(change)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(SqliteChange, "apply", terminated)
    assert_refused(perfwright("apply", "last", "--yes"), "stopped; nothing is left in flight")
    assert dump(shop) == before
    with open_and_report(None) as workspace:
        (entry,) = workspace.ledger.changes()
    assert entry.state is ChangeState.UNDONE


def test_a_conflict_is_named_and_the_other_changes_are_undone(
    shop: Path, tmp_path: Path, perfwright: Caller
) -> None:
    execute(shop, "CREATE INDEX own ON orders(total)")
    make_proven(tmp_path, shop, "DROP INDEX own", FIRST)
    assert perfwright("apply", "last", "--yes").code == 0
    execute(shop, "CREATE INDEX own ON orders(note)")
    done = perfwright("undo", "--all")
    assert (done.code, "exists already and is another one" in done.err) == (2, True)
    assert "--forget" in done.err
    assert indexes(shop) == {"own"}
    assert perfwright("ledger").code == 0
    assert perfwright("undo", f"{RUN}.1", "--forget").code == 0
    assert "nothing to undo" in perfwright("undo", "--all").err


def test_a_ledger_is_never_made_in_somebodys_database(shop: Path, perfwright: Caller) -> None:
    before = shop.read_bytes()
    assert_refused(perfwright("ledger", "--ledger", shop), "is a database but no ledger")
    assert shop.read_bytes() == before


@pytest.mark.parametrize(
    ("goal", "says"), [("banana<3ms", "a database run measures: p50"), ("p95<3ms", "--workload")]
)
def test_a_goal_that_cannot_be_measured_is_refused_before_the_run(
    goal: str, says: str, shop: Path, perfwright: Caller
) -> None:
    assert_refused(perfwright("optimize", shop, "--goal", goal), says)
