"""Makes changes of the real target and takes them back, in an order that survives a crash.

    intended -> applied -> kept            undoing -> undone

The ledger is written before the target is touched and again afterwards. Whatever instant the
process dies at, the next start finds a state that says what may have happened, and every inverse
is idempotent: taking back what was never made leaves the target as it is.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from perfwright.core import BusyTargetError, Change, ChangeError, RevertError, TargetError
from perfwright.experiments.ledger.ledger import OPEN_STATES, Ledger
from perfwright.experiments.ledger.records import ChangeEntry, ChangeState

Binder = Callable[[ChangeEntry], Change]
"""Builds the change of an entry against its real target."""

Guard = Callable[[], str | None]
"""Looks at the target after a change was made; returns what is wrong, or None."""

_FAILED = "failed: "
"""How the note of an entry begins that could not be taken back; the reason follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What a start found undecided."""

    taken_back: tuple[ChangeEntry, ...] = ()
    unresolved: tuple[tuple[ChangeEntry, str], ...] = ()
    """What could not be taken back, with the reason."""


@dataclass(slots=True, kw_only=True)
class Applier:
    """Carries out changes of real targets through a ledger."""

    ledger: Ledger
    bind: Binder

    def apply(self, entry: ChangeEntry, *, guard: Guard = lambda: None) -> ChangeEntry:
        """Make a change, look at it, keep it or take it back.

        Raises:
            BusyTargetError: If somebody else holds the target; it is as it was.
            ChangeError: If it could not be made, or the guard refused it; the target is as it was.
            RevertError: If it had to be taken back and could not be.
        """
        with self.locked(entry.target):
            change = self.bind(entry)  # first: an entry that cannot be bound would stay open
            self.ledger.intend(entry)
            try:
                change.apply()
            except RevertError as error:  # half-made: the next start goes on with it
                self.ledger.mark(entry, ChangeState.UNDOING, note=f"{_FAILED}{error.problem}")
                raise
            except (ChangeError, BusyTargetError) as error:  # both say that nothing was changed
                self.ledger.mark(entry, ChangeState.FAILED, note=str(error))
                raise
            except BaseException:
                self._take_back(entry, change, note="interrupted")
                raise
            try:
                self.ledger.mark(entry, ChangeState.APPLIED)
                problem = guard()
            except BaseException:
                self._take_back(entry, change, note="interrupted")
                raise
            if problem is not None:
                self._take_back(entry, change, note=problem)
                raise ChangeError(change=entry.spec.summary, problem=problem)
            return self.ledger.mark(entry, ChangeState.KEPT)

    def undo(self, entry: ChangeEntry) -> ChangeEntry:
        """Take a kept change back; one that is gone already is left as it is.

        Raises:
            RevertError: If the target could not be restored. A revert that fails has changed
                nothing, so the change counts as kept again and nothing is left in flight; but one
                that got half-way (`partial`) stays open, and the next start goes on with it.
            TargetError: If the target is busy or away; the change counts as kept again.
        """
        with self.locked(entry.target):
            current = self.ledger.change(entry.id)
            if current.state in (ChangeState.UNDONE, ChangeState.FAILED):
                return current
            change = self.bind(current)
            try:
                return self._take_back(current, change, note="by request")
            except RevertError as error:
                if not error.partial:
                    self.ledger.mark(current, current.state, note=str(error))
                raise

    def forget(self, entry: ChangeEntry) -> ChangeEntry:
        """Close an entry without touching its target: somebody has settled it by hand."""
        with self.locked(entry.target):
            note = "forgotten by request; the target was not touched"
            return self.ledger.mark(entry, ChangeState.UNDONE, note=note)

    def recover(self) -> Recovery:
        """Take back everything that was begun and not decided; called at every start.

        Another process that is applying right now holds the lock; its changes are left to it.
        What cannot be taken back stays open and is named, and the rest goes on: one conflict
        must not lock the door to the ledger.
        """
        undecided = self.ledger.changes(*OPEN_STATES)
        recovered: list[ChangeEntry] = []
        unresolved: list[tuple[ChangeEntry, str]] = []
        for entry in reversed(undecided):
            try:
                with self.locked(entry.target):
                    current = self.ledger.change(entry.id)
                    if current.state in OPEN_STATES:
                        change, note = self.bind(current), _how_left(current)
                        recovered.append(self._take_back(current, change, note=note))
            except BusyTargetError:
                continue
            except (ChangeError, TargetError) as error:
                unresolved.append((entry, str(error)))
        return Recovery(taken_back=tuple(recovered), unresolved=tuple(unresolved))

    def _take_back(self, entry: ChangeEntry, change: Change, *, note: str) -> ChangeEntry:
        self.ledger.mark(entry, ChangeState.UNDOING, note=note)
        try:
            change.revert()
        except RevertError as error:
            self.ledger.mark(entry, ChangeState.UNDOING, note=f"{_FAILED}{error.problem}")
            raise
        except TargetError as error:  # busy or away: nothing was begun
            self.ledger.mark(entry, entry.state, note=str(error))
            raise
        return self.ledger.mark(entry, ChangeState.UNDONE, note=note)

    @contextmanager
    def locked(self, target: str) -> Iterator[None]:
        """Hold the one lock that a process needs to change targets of this ledger.

        The system releases it when the process dies, however it dies.

        Raises:
            BusyTargetError: If another process holds it.
        """
        folder = self.ledger.folder
        if folder is None:
            yield  # a server ledger: the target's own advisory lock guards it
            return
        descriptor = os.open(folder / "apply.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise BusyTargetError(
                target=target,
                problem="another perfwright is changing a target of this ledger",
                remedy="wait until it has ended",
            ) from None
        try:
            yield
        finally:
            # Closing alone leaves the lock with a child that was forked meanwhile and has not
            # begun its own program yet.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _how_left(entry: ChangeEntry) -> str:
    """How an open entry was left: nobody should look for a crash where there was none."""
    if entry.state is not ChangeState.UNDOING:
        return "left undecided by a crash"
    by = f"({entry.note})" if entry.note.startswith(_FAILED) else "by a crash"
    return f"left half taken back {by}"
