"""`apply`, `undo` and `try` from the outside, on ledgers that hold proven changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.commands import assert_refused, fingerprint, run, skip_if_too_noisy
from tests.system.shops import RUN, dump, indexes, make_proven, make_shop, make_workload

FIRST = "CREATE INDEX pw_customer ON orders(customer)"
SECOND = "CREATE INDEX pw_state ON orders(state)"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop.db")


def test_apply_makes_what_a_run_has_proven(shop: Path, tmp_path: Path) -> None:
    make_proven(tmp_path, shop, FIRST, SECOND)
    assert run("apply", "last", "--yes", cwd=tmp_path).code == 0
    assert indexes(shop) == {"pw_customer", "pw_state"}


def test_apply_of_one_experiment_makes_that_one(shop: Path, tmp_path: Path) -> None:
    make_proven(tmp_path, shop, FIRST, SECOND)
    assert run("apply", f"{RUN}.2", "--yes", cwd=tmp_path).code == 0
    assert indexes(shop) == {"pw_state"}


def test_what_stands_is_not_applied_again(shop: Path, tmp_path: Path) -> None:
    make_proven(tmp_path, shop, FIRST)
    run("apply", "last", "--yes", cwd=tmp_path)
    again = run("apply", "last", "--yes", cwd=tmp_path)
    assert (again.code, "nothing to apply" in again.err) == (0, True)


def test_apply_without_an_answer_changes_nothing(shop: Path, tmp_path: Path) -> None:
    make_proven(tmp_path, shop, FIRST)
    assert_refused(run("apply", "last", cwd=tmp_path))
    assert indexes(shop) == set()


def test_undo_takes_one_change_back(shop: Path, tmp_path: Path) -> None:
    make_proven(tmp_path, shop, FIRST, SECOND)
    run("apply", "last", "--yes", cwd=tmp_path)
    assert run("undo", f"{RUN}.1/1", cwd=tmp_path).code == 0
    assert indexes(shop) == {"pw_state"}


def test_undo_all_restores_the_start(shop: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(shop)) as connection:
        connection.executescript("CREATE INDEX own ON orders(total); ANALYZE;")
    before = dump(shop)
    make_proven(tmp_path, shop, FIRST, "DROP INDEX own", SECOND, "ANALYZE orders")
    run("apply", "last", "--yes", cwd=tmp_path)
    assert dump(shop) != before
    assert run("undo", "--all", cwd=tmp_path).code == 0
    assert dump(shop) == before


def test_undo_of_nothing_says_so(tmp_path: Path) -> None:
    done = run("undo", "--all", cwd=tmp_path)
    assert (done.code, "nothing to undo" in done.err) == (0, True)


def test_undo_needs_a_name(tmp_path: Path) -> None:
    assert_refused(run("undo", cwd=tmp_path), "--all")


def test_the_ledger_tells_every_step_of_a_change(shop: Path, tmp_path: Path) -> None:
    make_proven(tmp_path, shop, FIRST)
    run("apply", "last", "--yes", cwd=tmp_path)
    run("undo", RUN, cwd=tmp_path)
    events = run("ledger", "--events", "--json", cwd=tmp_path).document["events"]
    steps = [each["what"].partition(":")[0] for each in events if each["subject"] == f"{RUN}.1/1"]
    assert steps == ["intended", "applied", "kept", "undoing", "undone"]


def test_a_change_that_the_target_refuses_is_recorded_as_failed(shop: Path, tmp_path: Path) -> None:
    make_proven(tmp_path, shop, FIRST)
    with closing(sqlite3.connect(shop)) as connection:
        connection.execute("ALTER TABLE orders RENAME COLUMN customer TO buyer")
    before = dump(shop)
    assert_refused(run("apply", "last", "--yes", cwd=tmp_path), "could not apply", "customer")
    (change,) = run("ledger", "--json", cwd=tmp_path).document["changes"]
    assert (change["state"], dump(shop)) == ("failed", before)


def test_a_proven_idea_is_exit_code_0_with_the_target_untouched(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop.db", rows=20_000)
    workload = make_workload(tmp_path / "w.jsonl", customers=2_000)
    before = fingerprint(shop)
    idea = tmp_path / "idea.sql"
    idea.write_text(FIRST, encoding="utf-8")
    done = run("try", shop, "--change", idea, "--workload", workload, "--json", cwd=tmp_path)
    skip_if_too_noisy(done)
    assert (done.code, done.document["experiments"][0]["verdict"]) == (0, "kept")
    assert fingerprint(shop) == before


def test_a_refuted_idea_is_exit_code_1(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop.db", rows=20_000)
    with closing(sqlite3.connect(shop)) as connection:
        connection.execute("CREATE INDEX own ON orders(customer)")
    workload = make_workload(tmp_path / "w.jsonl", customers=2_000)
    idea = tmp_path / "idea.sql"
    idea.write_text("DROP INDEX own", encoding="utf-8")
    done = run("try", shop, "--change", idea, "--workload", workload, "--json", cwd=tmp_path)
    skip_if_too_noisy(done)
    assert (done.code, done.document["experiments"][0]["verdict"]) == (1, "rejected")
