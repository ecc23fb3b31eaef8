"""What is repaired and swept when a workspace is opened."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from perfwright.container import Workspace, bind_change, open_workspace
from perfwright.core import ChangeSpec, ConfigError, LedgerError, ManualClock
from perfwright.experiments.ledger import ChangeEntry, ChangeState, RunRecord, RunStatus
from tests.system.shops import indexes, make_shop

SPEC = ChangeSpec(
    kind="sqlite-ddl",
    subject="pw_x",
    apply=("CREATE INDEX pw_x ON orders(customer)",),
    revert=("DROP INDEX pw_x",),
    summary="create pw_x",
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop.db", rows=20)


def opened(place: Path | None = None) -> Workspace:
    return open_workspace(str(place) if place else None, clock=ManualClock())


def entry(shop: Path, *, kind: str = "sqlite-ddl") -> ChangeEntry:
    return ChangeEntry(
        id="r.1/1",
        run="r",
        experiment="r.1",
        target=f"sqlite:///{shop}",
        spec=replace(SPEC, kind=kind),
        state=ChangeState.INTENDED,
    )


def dead_pid() -> int:
    """The id of a process that is gone."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_the_ledger_lies_in_a_folder_of_its_own(tmp_path: Path) -> None:
    with opened() as workspace:
        assert workspace.folder == tmp_path / ".perfwright"


def test_the_environment_names_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERFWRIGHT_LEDGER", str(tmp_path / "other" / "l.db"))
    with opened() as workspace:
        assert workspace.folder == tmp_path / "other"


def test_an_option_goes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERFWRIGHT_LEDGER", str(tmp_path / "other" / "l.db"))
    with opened(tmp_path / "mine" / "l.db") as workspace:
        assert workspace.folder == tmp_path / "mine"


def test_the_folder_keeps_itself_out_of_git(tmp_path: Path) -> None:
    with opened():
        assert (tmp_path / ".perfwright" / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_a_folder_that_the_user_chose_gets_no_gitignore(tmp_path: Path) -> None:
    with opened(tmp_path / "mine" / "l.db"):
        assert not (tmp_path / "mine" / ".gitignore").exists()


def test_the_copies_of_a_dead_process_are_swept(tmp_path: Path) -> None:
    left = tmp_path / ".perfwright" / "scratch" / f"{dead_pid()}-abc"
    left.mkdir(parents=True)
    (left / "a.db").touch()
    with opened():
        assert not left.exists()


def test_the_copies_of_a_living_process_are_left_alone(tmp_path: Path) -> None:
    used = tmp_path / ".perfwright" / "scratch" / f"{os.getpid()}-abc"
    used.mkdir(parents=True)
    with opened():
        assert used.exists()


def test_what_is_no_copy_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / ".perfwright" / "scratch" / "my-notes"
    other.mkdir(parents=True)
    with opened():
        assert other.exists()


def test_a_scratch_folder_carries_the_process_in_its_name() -> None:
    with opened() as workspace:
        assert workspace.scratch().name.startswith(f"{os.getpid()}-")


def test_a_scratch_folder_that_cannot_be_made_is_a_named_error(tmp_path: Path) -> None:
    with opened() as workspace:
        (tmp_path / ".perfwright" / "scratch").touch()
        with pytest.raises(LedgerError, match="cannot be written to"):
            workspace.scratch()


def test_an_undecided_change_is_taken_back(shop: Path) -> None:
    with opened() as workspace:
        workspace.ledger.intend(entry(shop))
        bind_change(entry(shop)).apply()
    with opened() as workspace:
        assert [each.spec.summary for each in workspace.recovered] == ["create pw_x"]
    assert indexes(shop) == set()


def test_a_kept_change_is_left_alone(shop: Path) -> None:
    with opened() as workspace:
        workspace.applier.apply(entry(shop))
    with opened() as workspace:
        assert workspace.recovered == ()
    assert indexes(shop) == {"pw_x"}


def test_a_change_that_is_being_made_by_another_is_left_to_it(shop: Path) -> None:
    with opened() as busy:
        busy.ledger.intend(entry(shop))
        with busy.applier.locked("it"), opened() as other:
            assert other.recovered == ()


def test_a_run_whose_process_is_gone_is_called_crashed(shop: Path) -> None:
    run = RunRecord(id="r", command="optimize", target="t", started=ManualClock().today())
    with opened() as workspace:
        workspace.ledger.begin_run(run)
        with workspace.ledger._transaction() as connection:
            connection.exec_driver_sql(f"UPDATE perfwright_runs SET owner_pid = {dead_pid()}")
    with opened() as workspace:
        assert workspace.ledger.run("r").status is RunStatus.CRASHED


def test_a_change_of_an_unknown_kind_is_refused(shop: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be made from outside"):
        bind_change(entry(shop, kind="sqlite-pragma"))
