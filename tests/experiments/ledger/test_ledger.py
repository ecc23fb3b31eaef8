"""The ledger: what was written is there, and what was altered is noticed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from perfwright.core import (
    LedgerDamagedError,
    LedgerError,
    ManualClock,
    UnknownRecordError,
)
from perfwright.experiments.ledger import ChangeState, Ledger, RunStatus
from tests.experiments.ledger.entries import SPEC, START, a_run, an_entry, an_experiment


@pytest.fixture
def path(own_folder: Path) -> Path:
    return own_folder / "state" / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    ledger = opened(path)
    yield ledger
    ledger.close()


def opened(path: str | Path) -> Ledger:
    return Ledger(path, clock=ManualClock(start=START))


def alter(path: Path, sql: str) -> None:
    """Change the file as somebody with an editor would."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(sql).rowcount == 1
        connection.commit()


def test_a_run_is_read_as_it_was_written(ledger: Ledger, path: Path) -> None:
    ledger.begin_run(a_run())
    ledger.add_experiment("r1", an_experiment("r1.1"))
    ledger.add_experiment("r1", an_experiment("r1.2"))
    read = opened(path).run("r1")
    assert read.experiments == (an_experiment("r1.1"), an_experiment("r1.2"))
    assert [each.finding.facts for each in read.findings] == [{"table": "t"}]
    plain = replace(a_run().findings[0], finding=replace(a_run().findings[0].finding, facts=None))
    assert replace(
        read,
        experiments=(),
        findings=(replace(read.findings[0], finding=plain.finding),),
    ) == replace(a_run(), findings=(plain,))


def test_a_saved_run_replaces_what_was_known_of_it(ledger: Ledger, path: Path) -> None:
    ledger.begin_run(a_run())
    ledger.add_experiment("r1", an_experiment())
    ledger.save_run(replace(a_run(), status=RunStatus.FINISHED, finished=START))
    read = opened(path).run("r1")
    assert (read.status, read.finished) == (RunStatus.FINISHED, START)
    assert read.experiments == (an_experiment(),)


def test_runs_come_newest_first_without_their_experiments(ledger: Ledger, path: Path) -> None:
    for second, name in enumerate(["r1", "r3", "r2"]):
        ledger.begin_run(a_run(name, second=second))
    ledger.add_experiment("r1", an_experiment())
    runs = opened(path).runs()
    assert [run.id for run in runs] == ["r2", "r3", "r1"]
    assert runs[-1].experiments == ()


def test_the_last_run_is_the_newest(ledger: Ledger) -> None:
    for second, name in enumerate(["r9", "r1"]):
        ledger.begin_run(a_run(name, second=second))
    assert ledger.run("last").id == "r1"


@pytest.mark.parametrize(("prefix", "found"), [("r1", "r1"), ("r1a", "r1ab"), ("r2", "r2x")])
def test_a_run_is_found_by_an_unambiguous_beginning(
    ledger: Ledger, prefix: str, found: str
) -> None:
    for name in ("r1", "r1ab", "r1b", "r2x"):
        ledger.begin_run(a_run(name))
    assert ledger.run(prefix).id == found


@pytest.mark.parametrize("prefix", ["r", "r3", "%", "_1", "last"])
def test_an_ambiguous_or_unknown_run_is_an_error(ledger: Ledger, prefix: str) -> None:
    if prefix != "last":
        for name in ("r1", "r2"):
            ledger.begin_run(a_run(name))
    with pytest.raises(UnknownRecordError) as caught:
        ledger.run(prefix)
    assert (caught.value.kind, caught.value.identifier) == ("run", prefix)


def test_a_run_cannot_be_begun_twice(ledger: Ledger) -> None:
    ledger.begin_run(a_run())
    with pytest.raises(LedgerError, match="UNIQUE"):
        ledger.begin_run(a_run())


def test_an_experiment_needs_its_run(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="FOREIGN KEY"):
        ledger.add_experiment("nothing", an_experiment())


def test_a_change_is_written_with_its_inverse_before_it_is_made(ledger: Ledger, path: Path) -> None:
    ledger.intend(an_entry())
    read = opened(path).change("r1.1/1")
    assert read == replace(an_entry(), updated=START)
    assert read.spec == SPEC


def test_a_change_moves_from_state_to_state(ledger: Ledger, path: Path) -> None:
    ledger.intend(an_entry())
    marked = ledger.mark(an_entry(), ChangeState.UNDOING, note="by request")
    read = opened(path).change("r1.1/1")
    assert (marked.state, marked.note) == (ChangeState.UNDOING, "by request")
    assert (read.state, read.note) == (ChangeState.UNDOING, "by request")


def test_changes_come_oldest_first_whatever_their_names(ledger: Ledger, path: Path) -> None:
    names = ["r1.2/1", "r1.10/1", "r0.1/1"]
    for name in names:
        ledger.intend(an_entry(name))
    ledger.mark(an_entry("r1.2/1"), ChangeState.KEPT)
    assert [entry.id for entry in opened(path).changes()] == names


def test_changes_are_chosen_by_their_state(ledger: Ledger) -> None:
    for name in ("r1.1/1", "r1.2/1", "r1.3/1"):
        ledger.intend(an_entry(name))
    ledger.mark(an_entry("r1.2/1"), ChangeState.KEPT)
    ledger.mark(an_entry("r1.3/1"), ChangeState.UNDONE)
    chosen = ledger.changes(ChangeState.KEPT, ChangeState.INTENDED)
    assert [entry.id for entry in chosen] == ["r1.1/1", "r1.2/1"]


@pytest.mark.parametrize(("prefix", "found"), [("r1.1/1", True), ("r1.2", True), ("r1", False)])
def test_a_change_is_found_by_an_unambiguous_beginning(
    ledger: Ledger, prefix: str, found: bool
) -> None:
    for name in ("r1.1/1", "r1.1/10", "r1.2/1"):
        ledger.intend(an_entry(name))
    if found:
        assert ledger.change(prefix).id.startswith(prefix)
    else:
        with pytest.raises(UnknownRecordError, match=f"no change '{prefix}'"):
            ledger.change(prefix)


def test_every_step_is_an_event(ledger: Ledger, path: Path) -> None:
    ledger.begin_run(a_run())
    ledger.add_experiment("r1", an_experiment())
    ledger.intend(an_entry())
    ledger.mark(an_entry(), ChangeState.KEPT)
    ledger.save_run(replace(a_run(), status=RunStatus.FINISHED))
    date = START.isoformat()
    assert opened(path).events() == (
        (date, "r1", "r1", "optimize sqlite:///shop.db: running"),
        (date, "r1", "r1.1", "kept: add t_c"),
        (date, "r1", "r1.1/1", "intended: add t_c"),
        (date, "r1", "r1.1/1", "kept"),
        (date, "r1", "r1", "saved: finished"),
    )


def test_a_run_whose_process_is_gone_is_closed_as_crashed(ledger: Ledger, path: Path) -> None:
    ledger.begin_run(a_run())
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    child.wait()
    alter(path, f"UPDATE perfwright_runs SET owner_pid = {child.pid}")
    assert ledger.close_orphans() == ("r1",)
    assert opened(path).run("r1").status is RunStatus.CRASHED
    assert ledger.close_orphans() == ()


def test_a_run_of_a_living_process_is_left_alone(ledger: Ledger, path: Path) -> None:
    ledger.begin_run(a_run())
    alter(path, f"UPDATE perfwright_runs SET owner_pid = {os.getppid()}")
    assert ledger.close_orphans() == ()
    assert ledger.run("r1").status is RunStatus.RUNNING


def test_a_finished_run_is_no_orphan(ledger: Ledger) -> None:
    ledger.begin_run(replace(a_run(), status=RunStatus.FINISHED))
    assert ledger.close_orphans() == ()
    assert ledger.run("r1").status is RunStatus.FINISHED


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE perfwright_runs SET document = replace(document, 'a note', 'A note')",
        "UPDATE perfwright_runs SET document = substr(document, 1, 100)",
        "UPDATE perfwright_runs SET id = 'r1x'",
        "UPDATE perfwright_experiments SET document = replace(document, 'kept', 'Kept')",
        "UPDATE perfwright_experiments SET id = 'r1.2'",
        "UPDATE perfwright_changes SET document = replace(document, 'DROP', 'drop')",
        "UPDATE perfwright_changes SET target = 'sqlite:///other.db'",
        "UPDATE perfwright_changes SET state = 'kepT'",
        "UPDATE perfwright_changes SET updated = 'yesterday'",
    ],
)
def test_an_altered_record_is_noticed(ledger: Ledger, path: Path, sql: str) -> None:
    ledger.begin_run(a_run())
    ledger.add_experiment("r1", an_experiment())
    ledger.intend(an_entry())
    alter(path, sql)

    def read_everything() -> None:
        ledger.run("last")
        ledger.changes()

    with pytest.raises(LedgerDamagedError, match="nothing was changed"):
        read_everything()


def test_a_record_of_another_shape_is_noticed(ledger: Ledger, path: Path) -> None:
    from perfwright.experiments.ledger.codec import digest

    ledger.begin_run(a_run())
    text = '{"id": "r1"}'
    run = a_run()
    mark = digest("r1", run.started.isoformat(), run.status, run.target, text)
    alter(path, f"UPDATE perfwright_runs SET document = '{text}', digest = '{mark}'")
    with pytest.raises(LedgerDamagedError, match="a record does not read"):
        ledger.run("r1")


def test_a_file_that_is_no_database_is_damaged(own_folder: Path) -> None:
    (own_folder / "ledger.db").write_bytes(b"garbage " * 1000)
    with pytest.raises(LedgerDamagedError, match="not a database"):
        opened(own_folder / "ledger.db")


@pytest.mark.parametrize("kept", [50, 4096, 6000])
def test_a_truncated_ledger_is_damaged(ledger: Ledger, path: Path, kept: int) -> None:
    ledger.begin_run(a_run())
    ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        connection.execute("PRAGMA journal_mode = DELETE").close()
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(LedgerDamagedError):
        opened(path).runs()


def test_a_ledger_of_a_later_version_is_refused(ledger: Ledger, path: Path) -> None:
    alter(path, "UPDATE perfwright_meta SET value = '999'")
    with pytest.raises(LedgerDamagedError, match="has schema version 999, this perfwright reads 1"):
        opened(path)


def test_a_folder_that_cannot_be_made_is_an_error(own_folder: Path) -> None:
    (own_folder / "file").touch()
    with pytest.raises(LedgerError, match="cannot be made"):
        opened(own_folder / "file" / "ledger.db")


@pytest.mark.parametrize("folder", ["with space", "q?m#h", "100%", "größe"])
def test_hostile_paths_are_paths(own_folder: Path, folder: str) -> None:
    path = own_folder / folder / "ledger.db"
    ledger = opened(path)
    ledger.begin_run(a_run())
    assert path.exists()
    assert ledger.folder == path.parent
    assert opened(str(path)).run("r1").id == "r1"


def test_a_ledger_may_be_named_by_a_url(path: Path) -> None:
    opened(f"sqlite:///{path}").begin_run(a_run())
    assert opened(path).run("r1").id == "r1"


WRITER = """
import sys
from perfwright.core import ManualClock
from perfwright.experiments.ledger import ChangeState, Ledger
from tests.experiments.ledger.entries import an_entry
name = sys.argv[2]
ledger = Ledger(sys.argv[1], clock=ManualClock())
for number in range(15):
    entry = an_entry(f"{name}.{number}/1")
    ledger.intend(entry)
    ledger.mark(entry, ChangeState.KEPT)
"""


def test_two_processes_write_without_losing_anything(path: Path) -> None:
    root = Path(__file__).parents[3]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name],
            cwd=root,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    errors = [writer.communicate()[1] for writer in writers]
    assert errors == ["", ""]
    ledger = opened(path)
    kept = {entry.id for entry in ledger.changes(ChangeState.KEPT)}
    assert kept == {f"{name}.{number}/1" for name in ("one", "two") for number in range(15)}
    assert len(ledger.events()) == 60
