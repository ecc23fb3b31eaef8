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

from perfwright.core import BusyTargetError, Change, ChangeError, RevertError
from perfwright.experiments.ledger.ledger import OPEN_STATES, Ledger
from perfwright.experiments.ledger.records import ChangeEntry, ChangeState

Binder = Callable[[ChangeEntry], Change]
"""Builds the change of an entry against its real target."""

Guard = Callable[[], str | None]
"""Looks at the target after a change was made; returns what is wrong, or None."""


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
            RevertError: If the target could not be restored.
        """
        with self.locked(entry.target):
            current = self.ledger.change(entry.id)
            if current.state in (ChangeState.UNDONE, ChangeState.FAILED):
                return current
            return self._take_back(current, self.bind(current), note="by request")

    def recover(self) -> tuple[ChangeEntry, ...]:
        """Take back everything that was begun and not decided; called at every start.

        Another process that is applying right now holds the lock; its changes are left to it.
        """
        undecided = self.ledger.changes(*OPEN_STATES)
        recovered = []
        for entry in reversed(undecided):
            try:
                with self.locked(entry.target):
                    current = self.ledger.change(entry.id)
                    if current.state in OPEN_STATES:
                        note = f"found {current.state} at start"
                        recovered.append(self._take_back(current, self.bind(current), note=note))
            except BusyTargetError:
                continue
        return tuple(recovered)

    def _take_back(self, entry: ChangeEntry, change: Change, *, note: str) -> ChangeEntry:
        self.ledger.mark(entry, ChangeState.UNDOING, note=note)
        try:
            change.revert()
        except RevertError as error:
            self.ledger.mark(entry, ChangeState.UNDOING, note=str(error))
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
            os.close(descriptor)
