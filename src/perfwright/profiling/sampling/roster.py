"""The accounts of all threads, and what is read of each at a look."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from types import FrameType

from perfwright.profiling.model import Frame, Stack
from perfwright.profiling.sampling import clocks
from perfwright.profiling.sampling.ledger import (
    Account,
    Held,
    Key,
    Ledger,
    Look,
    Sums,
    close_window,
    settle,
)
from perfwright.profiling.sampling.places import Places
from perfwright.profiling.sampling.states import standing_still, waits_by_name

_BUSY_RATIO = 0.1
_MAX_NAMES = 1_000
_OTHERS = "(other threads)"


class Roster:
    """Every thread that was seen, living or ended; ended ones are kept by name.

    Args:
        max_stacks: Distinct stacks kept.
    """

    def __init__(self, max_stacks: int) -> None:
        self._max_stacks = max_stacks
        self._idle: dict[Key, bool] = {}
        self._places = Places()
        self._ledger = Ledger(max_stacks)
        self._living: dict[int, Account] = {}
        self._ended: dict[str, dict[Key, Sums]] = {}
        self.busy = 1
        """Threads that had CPU, at the last look."""
        self.busiest = 0
        """The thread that had most of it, last."""

    @property
    def truncated_samples(self) -> int:
        """Samples whose stack was cut."""
        return self._ledger.truncated_samples

    def begin(self, frames: Mapping[int, FrameType]) -> None:
        """Open the accounts of threads that live already: their CPU so far is not ours."""
        for ident in frames:
            account = self._account(ident)
            account.charged_s = account.read_s

    def look(
        self, frames: Mapping[int, FrameType], *, wall_s: float, tail: float, held: Held
    ) -> None:
        """Charge a stretch to where each thread is now.

        Args:
            frames: Innermost frame of each thread.
            wall_s: Length of the stretch that this look stands for.
            tail: Share (0 to 1) of the time since the last look that belongs to the next stretch.
            held: How the sampler came to the interpreter.
        """
        moved: list[tuple[Account, FrameType, float]] = []
        most_s = 0.0
        for ident, frame in frames.items():
            account = self._account(ident)
            spent_s = account.advance()
            if spent_s is None:  # its thread has ended, and another one has the identifier
                self._close(ident)
                account = self._account(ident)
                spent_s = account.read_s
            if spent_s > most_s:
                most_s, self.busiest = spent_s, ident
            if spent_s <= 0.0 and account.last is not None and account.clock_id is not None:
                self._ledger.unmoved(account, wall_s=wall_s, held=held)
            else:
                moved.append((account, frame, spent_s))
        alone = len(moved) == 1
        for account, frame, spent_s in moved:
            self._charge(account, frame, look=Look(wall_s, spent_s * tail, held, alone))
        self.busy = sum(spent_s > _BUSY_RATIO * wall_s for _, _, spent_s in moved)
        if len(self._living) > len(frames):
            for ident in self._living.keys() - frames.keys():
                self._close(ident)

    def finish(self, wall_s: float) -> None:
        """Charge the time since the last look to where each thread was, and all that is open."""
        for account in self._living.values():
            if account.advance() is not None:
                account.window_cpu_s += account.charge(0.0, wall_s)
            self._ledger.extend(account, wall_s)
            settle(account)

    def cpu_s(self) -> dict[int, float]:
        """CPU of each living thread at the last look."""
        known = self._living.items()
        return {ident: account.read_s for ident, account in known if account.clock_id is not None}

    def stacks(self) -> tuple[Stack, ...]:
        """Return all that was charged, by thread name."""
        found: dict[str, dict[Key, Sums]] = {}
        for account in self._living.values():
            close_window(account)
            _merge(found.setdefault(account.name, {}), account.sums)
        for name, ended in self._ended.items():
            _merge(found.setdefault(name, {}), ended)
        return tuple(
            stack
            for name, sums_of in found.items()
            for frames, sums in self._by_lines(sums_of).items()
            for stack in _stacks_of(name, frames=frames, sums=sums)
        )

    def _by_lines(self, sums_of: Mapping[Key, Sums]) -> dict[tuple[Frame, ...], Sums]:
        """Add up what differs in the position within a line alone."""
        found: dict[tuple[Frame, ...], Sums] = {}
        for key, sums in sums_of.items():
            found.setdefault(self._places.frames(key), Sums()).add(sums)
        return found

    def _account(self, ident: int) -> Account:
        account = self._living.get(ident)
        if account is None:
            account = self._living[ident] = Account(_name_of(ident), clocks.cpu_clock(ident))
            account.advance()
        return account

    def _charge(self, account: Account, frame: FrameType, *, look: Look) -> None:
        if account.last is None:  # a thread of C code may be old when it first runs Python
            account.charged_s = max(account.charged_s, account.read_s - look.wall_s)
        key = self._places.walk(frame)
        between = self._places.between_instructions(key)
        if account.clock_id is None:  # all there is to go by is what is being called
            between = between or not waits_by_name(frame.f_code)
        idle = not between and self._is_idle(key)
        self._ledger.moved(account, key, between=between, idle=idle, look=look)

    def _is_idle(self, key: Key) -> bool:
        known = self._idle.get(key)
        if known is None:
            if len(self._idle) >= self._max_stacks:
                self._idle.clear()
            known = self._idle[key] = standing_still(self._places.frames(key)) == "idle"
        return known

    def _close(self, ident: int) -> None:
        account = self._living.pop(ident)
        settle(account)
        known = account.name in self._ended or len(self._ended) < _MAX_NAMES
        _merge(self._ended.setdefault(account.name if known else _OTHERS, {}), account.sums)


def _stacks_of(name: str, *, frames: tuple[Frame, ...], sums: Sums) -> Iterator[Stack]:
    if sums.run_samples or sums.cpu_s > 0.0:
        yield Stack(
            frames=frames,
            state="running",
            thread=name,
            samples=sums.run_samples,
            wall_s=sums.run_wall_s,
            cpu_s=sums.cpu_s,
        )
    if sums.still_samples:
        yield Stack(
            frames=frames,
            state=standing_still(frames),
            thread=name,
            samples=sums.still_samples,
            wall_s=sums.still_wall_s,
            cpu_s=0.0,
        )


def _merge(into: dict[Key, Sums], sums_of: Mapping[Key, Sums]) -> None:
    for key, sums in sums_of.items():
        into.setdefault(key, Sums()).add(sums)


def _name_of(ident: int) -> str:
    for thread in threading.enumerate():
        if thread.ident == ident:
            return thread.name
    return f"thread {ident}"
