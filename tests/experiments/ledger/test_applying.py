"""Changes of real targets, and crashes at every step of making them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from perfwright.core import (
    BusyTargetError,
    Change,
    ChangeError,
    ChangeSpec,
    ManualClock,
    RevertError,
)
from perfwright.experiments.changes import SqliteChange
from perfwright.experiments.ledger import OPEN_STATES, Applier, ChangeEntry, ChangeState, Ledger
from tests.experiments.changes.databases import indexes, make, seen
from tests.experiments.ledger.entries import SPEC, an_entry


@pytest.fixture
def database(own_folder: Path) -> Path:
    return make(own_folder / "shop.db")


@pytest.fixture
def ledger(own_folder: Path) -> Iterator[Ledger]:
    ledger = Ledger(own_folder / "ledger.db", clock=ManualClock())
    yield ledger
    ledger.close()


@pytest.fixture
def applier(ledger: Ledger, database: Path) -> Applier:
    return Applier(ledger=ledger, bind=lambda entry: SqliteChange(database, entry.spec))


def assert_state(ledger: Ledger, state: ChangeState, *, identifier: str = "r1.1/1") -> None:
    assert ledger.change(identifier).state is state


class Killed(BaseException):
    """The process is gone: nothing that it would have done happens."""


@dataclass
class Fate:
    """Ends the process before or after one of its calls, and lets none of the later ones happen."""

    fatal: int
    after: bool
    lasting: bool
    """Whether no cleaning up happens either, as with `kill -9`."""
    calls: int = 0

    def run(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.lasting and self.calls > self.fatal:
            raise Killed
        if self.calls == self.fatal and not self.after:
            raise Killed
        result = call(*args, **kwargs)
        if self.calls == self.fatal:
            raise Killed
        return result


@dataclass
class Doomed:
    """A change or a ledger whose every method goes through a fate."""

    inner: Any
    fate: Fate
    watched: tuple[str, ...] = field(default=("intend", "mark", "apply", "revert"))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name not in self.watched:
            return found
        return lambda *args, **kwargs: self.fate.run(found, *args, **kwargs)


def doomed(applier: Applier, fate: Fate) -> Applier:
    ledger: Any = Doomed(applier.ledger, fate)
    bind: Any = lambda entry: Doomed(applier.bind(entry), fate)  # noqa: E731
    return Applier(ledger=ledger, bind=bind)


@dataclass
class Stuck:
    """A change that gets half-way, in either direction, and no further."""

    spec: ChangeSpec = SPEC
    partial: bool = True
    busy: bool = False

    def apply(self) -> None:
        raise self.error()

    def revert(self) -> None:
        if self.busy:
            raise BusyTargetError(target="t", problem="is held", remedy="wait")
        raise self.error()

    def describe(self) -> str:
        return self.spec.summary

    def error(self) -> RevertError:
        return RevertError(change="c", problem="stuck", inverse="x", partial=self.partial)


def test_a_change_that_is_stuck_half_way_stays_open(ledger: Ledger) -> None:
    with pytest.raises(RevertError, match="stuck"):
        Applier(ledger=ledger, bind=lambda _: Stuck()).apply(an_entry())
    assert_state(ledger, ChangeState.UNDOING)


def test_an_undo_that_is_stuck_half_way_stays_open(applier: Applier) -> None:
    kept = applier.apply(an_entry())
    with pytest.raises(RevertError, match="stuck"):
        Applier(ledger=applier.ledger, bind=lambda _: Stuck()).undo(kept)
    assert_state(applier.ledger, ChangeState.UNDOING)


def test_an_undo_of_a_busy_target_leaves_the_change_kept(applier: Applier) -> None:
    kept = applier.apply(an_entry())
    with pytest.raises(BusyTargetError, match="is held"):
        Applier(ledger=applier.ledger, bind=lambda _: Stuck(busy=True)).undo(kept)
    assert_state(applier.ledger, ChangeState.KEPT)


def test_a_busy_target_is_left_to_the_next_start(applier: Applier) -> None:
    applier.ledger.intend(an_entry())
    other = Applier(ledger=applier.ledger, bind=lambda _: Stuck(busy=True))
    assert other.recover().taken_back == ()
    assert_state(applier.ledger, ChangeState.INTENDED)


FATES = [
    pytest.param(number, after, lasting, id=f"{'after' if after else 'before'}-{number}-{lasting}")
    for number in range(1, 5)
    for after in (False, True)
    for lasting in (False, True)
]


@pytest.mark.parametrize(("number", "after", "lasting"), FATES)
def test_a_crash_while_applying_leaves_the_start_or_a_kept_change(
    applier: Applier, database: Path, number: int, after: bool, lasting: bool
) -> None:
    before = seen(database)
    fate = Fate(number, after, lasting)
    with pytest.raises(Killed):
        doomed(applier, fate).apply(an_entry())
    applier.recover()
    kept = applier.ledger.changes(ChangeState.KEPT)
    assert (seen(database) == before) is (not kept)
    assert applier.ledger.changes(*OPEN_STATES) == ()
    assert bool(kept) is (number == 4 and after)


@pytest.mark.parametrize(
    ("number", "after", "lasting"), [fate for fate in FATES if fate.values[0] != 4]
)
def test_a_crash_while_undoing_ends_undone(
    applier: Applier, database: Path, number: int, after: bool, lasting: bool
) -> None:
    before = seen(database)
    entry = applier.apply(an_entry())
    with pytest.raises(Killed):
        doomed(applier, Fate(number, after, lasting)).undo(entry)
    applier.recover()
    changed = number == 1 and not after  # nothing was written: nobody knows of the wish
    assert (seen(database) != before) is changed
    assert_state(applier.ledger, ChangeState.KEPT if changed else ChangeState.UNDONE)


@pytest.mark.parametrize(("number", "after", "lasting"), FATES)
def test_a_crash_after_a_refusing_guard_leaves_the_start(
    applier: Applier, database: Path, number: int, after: bool, lasting: bool
) -> None:
    before = seen(database)
    fate = Fate(number + 3, after, lasting)
    with pytest.raises((Killed, ChangeError)):
        doomed(applier, fate).apply(an_entry(), guard=lambda: "slower")
    applier.recover()
    assert seen(database) == before
    assert applier.ledger.changes(*OPEN_STATES) == ()


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_while_recovering_is_recovered_from(
    applier: Applier, database: Path, number: int, after: bool
) -> None:
    before = seen(database)
    with pytest.raises(Killed):
        doomed(applier, Fate(3, after=True, lasting=True)).apply(an_entry())
    with pytest.raises(Killed):
        doomed(applier, Fate(number, after, lasting=True)).recover()
    applier.recover()
    assert seen(database) == before
    assert_state(applier.ledger, ChangeState.UNDONE)


def test_a_change_that_passes_its_guard_is_kept(applier: Applier, database: Path) -> None:
    assert applier.apply(an_entry()).state is ChangeState.KEPT
    assert "t_c" in indexes(database)
    assert_state(applier.ledger, ChangeState.KEPT)


def test_the_inverse_is_in_the_ledger_before_the_change_is_made(
    applier: Applier, database: Path
) -> None:
    noted: list[tuple[str, ...]] = []

    @dataclass
    class Watching:
        spec: ChangeSpec

        def apply(self) -> None:
            noted.append(applier.ledger.change("r1.1/1").spec.revert)

        def revert(self) -> None:
            """Nothing was made."""

        def describe(self) -> str:
            return ""

    Applier(ledger=applier.ledger, bind=lambda entry: Watching(entry.spec)).apply(an_entry())
    assert noted == [SPEC.revert]
    assert "t_c" not in indexes(database)


def test_a_guard_that_refuses_takes_the_change_back(applier: Applier, database: Path) -> None:
    before = seen(database)
    with pytest.raises(ChangeError, match="writes are slower"):
        applier.apply(an_entry(), guard=lambda: "writes are slower")
    assert seen(database) == before
    assert_state(applier.ledger, ChangeState.UNDONE)
    assert applier.ledger.change("r1.1/1").note == "writes are slower"


def test_a_guard_that_crashes_takes_the_change_back(applier: Applier, database: Path) -> None:
    before = seen(database)

    def interrupted() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        applier.apply(an_entry(), guard=interrupted)
    assert seen(database) == before
    assert_state(applier.ledger, ChangeState.UNDONE)


def test_a_change_that_cannot_be_made_has_failed(applier: Applier, database: Path) -> None:
    before = seen(database)
    spec = replace(SPEC, apply=("CREATE INDEX t_c ON absent(c)",))
    with pytest.raises(ChangeError, match="no such table"):
        applier.apply(an_entry(spec=spec))
    assert seen(database) == before
    assert_state(applier.ledger, ChangeState.FAILED)


@dataclass
class Scripted:
    """A change that raises what it is told to."""

    spec: ChangeSpec
    on_apply: BaseException | None = None
    on_revert: BaseException | None = None
    reverts: int = 0

    def apply(self) -> None:
        if self.on_apply is not None:
            raise self.on_apply

    def revert(self) -> None:
        self.reverts += 1
        if self.on_revert is not None:
            raise self.on_revert

    def describe(self) -> str:
        return self.spec.summary


def bound(applier: Applier, change: Change) -> Applier:
    return Applier(ledger=applier.ledger, bind=lambda _: change)


def test_a_busy_target_has_nothing_to_take_back(applier: Applier) -> None:
    busy = BusyTargetError(target="x", problem="is locked", remedy="wait")
    change = Scripted(SPEC, on_apply=busy)
    with pytest.raises(BusyTargetError):
        bound(applier, change).apply(an_entry())
    assert change.reverts == 0
    assert_state(applier.ledger, ChangeState.FAILED)


CANNOT = RevertError(change="add t_c", problem="disk full", inverse='DROP INDEX "t_c"')


def test_a_revert_that_fails_is_loud_and_stays_open(applier: Applier) -> None:
    change = Scripted(SPEC, on_revert=CANNOT)
    with pytest.raises(RevertError, match='Run this by hand: DROP INDEX "t_c"'):
        bound(applier, change).apply(an_entry(), guard=lambda: "slower")
    assert_state(applier.ledger, ChangeState.UNDOING)
    assert "disk full" in applier.ledger.change("r1.1/1").note


def test_a_revert_that_failed_is_tried_again_at_the_next_start(
    applier: Applier, database: Path
) -> None:
    before = seen(database)
    applier.ledger.mark(applier.apply(an_entry()), ChangeState.UNDOING)
    stuck = bound(applier, Scripted(SPEC, on_revert=CANNOT)).recover()
    assert [(entry.id, reason) for entry, reason in stuck.unresolved] == [("r1.1/1", str(CANNOT))]
    (recovered,) = applier.recover().taken_back
    assert recovered.note == "left half taken back (failed: disk full)"
    assert seen(database) == before


def test_an_undo_that_a_crash_cut_short_is_told_from_one_that_failed(applier: Applier) -> None:
    applier.ledger.mark(applier.apply(an_entry()), ChangeState.UNDOING, note="by request")
    (recovered,) = applier.recover().taken_back
    assert recovered.note == "left half taken back by a crash"


def test_an_undo_that_fails_leaves_the_change_kept(applier: Applier) -> None:
    entry = applier.apply(an_entry())
    with pytest.raises(RevertError):
        bound(applier, Scripted(SPEC, on_revert=CANNOT)).undo(entry)
    assert_state(applier.ledger, ChangeState.KEPT)
    assert applier.recover().unresolved == ()


def test_a_forgotten_change_is_closed_without_touching_the_target(
    applier: Applier, database: Path
) -> None:
    entry = applier.apply(an_entry())
    kept = seen(database)
    assert applier.forget(entry).state is ChangeState.UNDONE
    assert seen(database) == kept


def test_undoing_twice_is_undoing_once(applier: Applier, database: Path) -> None:
    before = seen(database)
    entry = applier.apply(an_entry())
    assert applier.undo(entry).state is ChangeState.UNDONE
    assert seen(database) == before
    applier.apply(an_entry("r1.1/2"))
    after = seen(database)
    assert applier.undo(entry).state is ChangeState.UNDONE
    assert seen(database) == after


def test_a_change_that_failed_is_not_undone(applier: Applier) -> None:
    applier.ledger.intend(an_entry())
    applier.ledger.mark(an_entry(), ChangeState.FAILED)
    change = Scripted(SPEC)
    assert bound(applier, change).undo(an_entry()).state is ChangeState.FAILED
    assert change.reverts == 0


def test_recovering_twice_is_recovering_once(applier: Applier, database: Path) -> None:
    applier.ledger.intend(an_entry())
    SqliteChange(database, SPEC).apply()
    assert [entry.id for entry in applier.recover().taken_back] == ["r1.1/1"]
    events = applier.ledger.events()
    assert applier.recover().taken_back == ()
    assert applier.ledger.events() == events


@pytest.mark.parametrize("state", [ChangeState.KEPT, ChangeState.UNDONE, ChangeState.FAILED])
def test_recovery_leaves_decided_changes_alone(
    applier: Applier, database: Path, state: ChangeState
) -> None:
    applier.ledger.intend(an_entry())
    applier.ledger.mark(an_entry(), state)
    SqliteChange(database, SPEC).apply()
    assert applier.recover().taken_back == ()
    assert "t_c" in indexes(database)


def test_recovery_takes_the_newest_change_back_first(applier: Applier) -> None:
    order: list[str] = []

    def bind(entry: ChangeEntry) -> Change:
        order.append(entry.id)
        return Scripted(entry.spec)

    for name in ("r1.2/1", "r1.10/1", "r1.11/1"):
        applier.ledger.intend(an_entry(name))
    Applier(ledger=applier.ledger, bind=bind).recover()
    assert order == ["r1.11/1", "r1.10/1", "r1.2/1"]


HOLDER = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(descriptor, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(own_folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is applying a change right now."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", HOLDER, str(own_folder / "apply.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


@pytest.mark.usefixtures("holder")
def test_recovery_leaves_the_changes_of_a_living_process_to_it(applier: Applier) -> None:
    applier.ledger.intend(an_entry())
    assert applier.recover().taken_back == ()
    assert_state(applier.ledger, ChangeState.INTENDED)


@pytest.mark.usefixtures("holder")
def test_only_one_process_changes_targets_at_a_time(applier: Applier, database: Path) -> None:
    before = seen(database)
    with pytest.raises(BusyTargetError, match="another perfwright is changing"):
        applier.apply(an_entry())
    assert seen(database) == before
    assert applier.ledger.changes() == ()


def test_the_lock_of_a_killed_process_is_free(
    applier: Applier, holder: subprocess.Popen[str]
) -> None:
    applier.ledger.intend(an_entry())
    holder.kill()
    holder.wait()
    assert len(applier.recover().taken_back) == 1


def test_a_change_whose_target_cannot_be_bound_stays_open(applier: Applier) -> None:
    def refuse(entry: ChangeEntry) -> Change:
        raise ChangeError(change=entry.id, problem="the kind is not known")

    applier.ledger.intend(an_entry())
    recovery = Applier(ledger=applier.ledger, bind=refuse).recover()
    ((entry, reason),) = recovery.unresolved
    assert (entry.id, "the kind is not known" in reason) == ("r1.1/1", True)
    assert_state(applier.ledger, ChangeState.INTENDED)


def test_a_change_that_cannot_be_bound_is_not_begun(applier: Applier) -> None:
    def refuse(entry: ChangeEntry) -> Change:
        raise ChangeError(change=entry.id, problem="the kind is not known")

    with pytest.raises(ChangeError, match="the kind is not known"):
        Applier(ledger=applier.ledger, bind=refuse).apply(an_entry())
    assert applier.ledger.changes() == ()
