"""Death at every step of making and undoing a change, and the repair at the next start.

The processes here die on paper: from one step on, nothing that the dying code still does reaches
the ledger or the target. `benchmarks/crash_safety.py` kills real ones at random instants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from perfwright.container import bind_change, open_workspace, with_present_inverse
from perfwright.core import Change, ChangeSpec, ManualClock
from perfwright.experiments.ledger import Applier, ChangeEntry, ChangeState, Ledger
from tests.system.shops import dump, make_shop

INDEX = ChangeSpec(
    kind="sqlite-ddl",
    subject="pw_customer",
    apply=("CREATE INDEX pw_customer ON orders(customer)", "ANALYZE"),
    revert=(),
    summary="create an index",
)
STEPS = {"apply": 4, "undo": 3, "recover": 3}
"""Writes to the ledger or the target that each of these does."""


class Death(BaseException):
    """The process ends here."""


@dataclass(slots=True)
class Fate:
    """Lets a number of steps happen, wholly; then nothing any more."""

    left: int
    steps: int = 0

    def step(self, do: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        if not self.left:
            raise Death
        self.left -= 1
        self.steps += 1
        done = do(*arguments, **options)
        if not self.left:
            raise Death  # at once after the step, before anybody learns of it
        return done


@dataclass(slots=True)
class DyingChange:
    """A change of the real target, until its process is dead."""

    real: Change
    fate: Fate
    spec: ChangeSpec = field(init=False)

    def __post_init__(self) -> None:
        self.spec = self.real.spec

    def apply(self) -> None:
        self.fate.step(self.real.apply)

    def revert(self) -> None:
        self.fate.step(self.real.revert)

    def describe(self) -> str:
        return self.real.describe()


class DyingLedger(Ledger):
    """A ledger that can be written until its process is dead."""

    fate: Fate

    def intend(self, entry: ChangeEntry) -> None:
        self.fate.step(super().intend, entry)

    def mark(self, entry: ChangeEntry, state: ChangeState, *, note: str = "") -> ChangeEntry:
        marked: ChangeEntry = self.fate.step(super().mark, entry, state, note=note)
        return marked


@dataclass(slots=True)
class Place:
    """A target and a ledger, and what can happen to them."""

    target: Path
    ledger: Path

    def entry(self) -> ChangeEntry:
        return with_present_inverse(
            ChangeEntry(
                id="r.1/1",
                run="r",
                experiment="r.1",
                target=f"sqlite:///{self.target}",
                spec=INDEX,
                state=ChangeState.INTENDED,
            )
        )

    def attempt(self, what: str, *, steps: int) -> bool:
        """Do something in a process that dies after `steps` steps; whether it came through."""
        ledger = DyingLedger(self.ledger, clock=ManualClock())
        ledger.fate = Fate(steps)
        applier = Applier(
            ledger=ledger, bind=lambda entry: DyingChange(bind_change(entry), ledger.fate)
        )
        try:
            match what:
                case "apply":
                    applier.apply(self.entry())
                case "undo":
                    applier.undo(ledger.change("r.1/1"))
                case _:
                    applier.recover()
        except Death:
            return False
        finally:
            ledger.close()
        return True

    def start_again(self) -> ChangeState | None:
        """Open the workspace as every command does; return the state of the change, if any."""
        with open_workspace(str(self.ledger), clock=ManualClock()) as workspace:
            return next((entry.state for entry in workspace.ledger.changes()), None)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(make_shop(tmp_path / "shop.db", rows=50), tmp_path / "ledger.db")


@pytest.mark.parametrize("what", STEPS)
def test_the_number_of_steps_is_known(what: str, place: Place) -> None:
    if what != "apply":
        place.attempt("apply", steps=100 if what == "undo" else 3)
    assert not place.attempt(what, steps=STEPS[what])
    assert place.start_again() in {ChangeState.KEPT, ChangeState.UNDONE}


@pytest.mark.parametrize("steps", range(STEPS["apply"]))
def test_a_death_while_applying_leaves_the_start(steps: int, place: Place) -> None:
    before = dump(place.target)
    assert not place.attempt("apply", steps=steps)
    assert place.start_again() in {None, ChangeState.UNDONE}
    assert dump(place.target) == before


def test_a_death_after_the_last_step_of_applying_leaves_the_kept_state(place: Place) -> None:
    assert not place.attempt("apply", steps=STEPS["apply"])
    made = dump(place.target)
    assert "pw_customer" in made
    assert place.start_again() is ChangeState.KEPT
    assert dump(place.target) == made


@pytest.mark.parametrize("steps", range(STEPS["undo"] + 1))
def test_a_death_while_undoing_leaves_the_start_or_the_kept_state(steps: int, place: Place) -> None:
    before = dump(place.target)
    assert place.attempt("apply", steps=100)
    kept = dump(place.target)
    assert not place.attempt("undo", steps=steps)
    state = place.start_again()
    assert state in {ChangeState.KEPT, ChangeState.UNDONE}
    assert dump(place.target) == (kept if state is ChangeState.KEPT else before)


@pytest.mark.parametrize("first", range(1, STEPS["apply"]))
@pytest.mark.parametrize("second", range(STEPS["recover"] + 1))
def test_a_death_while_repairing_is_repaired(first: int, second: int, place: Place) -> None:
    before = dump(place.target)
    place.attempt("apply", steps=first)
    place.attempt("recover", steps=second)
    assert place.start_again() is ChangeState.UNDONE
    assert dump(place.target) == before


def test_a_repair_is_reported_once(place: Place) -> None:
    place.attempt("apply", steps=2)
    with open_workspace(str(place.ledger), clock=ManualClock()) as first:
        assert [entry.id for entry in first.recovered] == ["r.1/1"]
    with open_workspace(str(place.ledger), clock=ManualClock()) as second:
        assert second.recovered == ()
