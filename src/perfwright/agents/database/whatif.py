"""What a change would bring, as it was seen on a scratch copy; and the choice among changes.

Nothing here touches a database: `Trials` is implemented by the probe that really builds indexes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from perfwright.core import ChangeSpec

FIRST_LOOK_SHARE = (0.6, 0.85)  # of the time, by wave; the rest is for choosing among what was seen
OVERWHELMING = 0.2  # of the workload's cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The effect of one change on the workload, next to what was chosen before."""

    saved: Mapping[str, float]
    """Milliseconds per replay that each read shape gets cheaper; negative: dearer."""
    write_ms: float = 0.0
    """What all writes cost more; negative when they get cheaper."""
    size_bytes: int = 0
    """Index bytes added; negative when some are freed."""
    worse: tuple[str, ...] = ()
    """Read shapes that got dearer by more than a tenth."""
    base_ms: float = 0.0
    """What the statements that the change affects cost before it."""

    @property
    def ratio(self) -> float:
        """Cost of the affected statements with the change to without, from 0 on; 1: unknown."""
        return max(0.0, 1.0 - self.net_ms / self.base_ms) if self.base_ms > 0.0 else 1.0

    @property
    def read_ms(self) -> float:
        """What all reads get cheaper."""
        return sum(self.saved.values())

    @property
    def hope_ms(self) -> float:
        """What it would bring if nothing got dearer: a bound for when other choices were made."""
        return sum(max(saved, 0.0) for saved in self.saved.values()) - self.write_ms

    @property
    def net_ms(self) -> float:
        """What the workload gets cheaper."""
        return self.read_ms - self.write_ms

    def plus(self, other: Trial) -> Trial:
        """Both effects together."""
        shapes = {**self.saved, **other.saved}
        return Trial(
            saved={s: self.saved.get(s, 0.0) + other.saved.get(s, 0.0) for s in shapes},
            write_ms=self.write_ms + other.write_ms,
            size_bytes=self.size_bytes + other.size_bytes,
            worse=(*self.worse, *other.worse),
            base_ms=max(self.base_ms, other.base_ms),
        )


class Extends(Protocol):
    """Tells whether one change makes a longer form of the index that another makes."""

    def __call__(self, longer: ChangeSpec, shorter: ChangeSpec, /) -> bool:
        """Whether `longer` begins as `shorter`."""


class Trials(Protocol):
    """Tries changes on a scratch copy."""

    def total_ms(self) -> float:
        """Cost of one replay of the workload with what was chosen so far."""

    def write_ms(self) -> float:
        """The part of it that is due to writes, as far as indexes decide it."""

    def table_ms(self, table: str) -> float:
        """The part of it that is due to statements which touch a table."""

    def try_out(self, change: ChangeSpec) -> Trial | None:
        """Make a change, look, take it back; None when it cannot be made."""

    def accept(self, change: ChangeSpec) -> None:
        """Make a change for good."""

    def withdraw(self, change: ChangeSpec) -> None:
        """Take an accepted change back for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A change that may be chosen."""

    change: ChangeSpec
    table: str
    expected_ms: float
    """Cost of the statements that it is meant for: the costliest are tried first."""
    wave: int = 0
    """1 for what is worth a look only after the plain indexes: covering and merged ones."""
    demand: float = 1.0
    """How many times its write cost an index has to bring: above 1 where writes dominate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A chosen change and its effect at the time of choosing."""

    change: ChangeSpec
    trial: Trial


@dataclass(slots=True, kw_only=True)
class Rules:
    """When a change is worth it."""

    database_bytes: int
    min_share: float = 0.005
    """Of what the workload still costs, a change has to save at least this share."""
    byte_price: float = 0.35
    """An index as large as the database has to save this share of what is left after it."""
    max_write_growth: float = 0.06
    """All choices together may make the writes this much dearer, so that noise stays below 0.1."""
    pays: float = math.inf
    """Beyond that, an index has to save the reads this many times what it costs the writes; the
    experiment then decides, and says why."""
    drop_loss: float = 0.002
    """Dropping an index may cost this share of the workload."""

    def value(self, trial: Trial, *, total_ms: float, demand: float = 1.0) -> float:
        """Milliseconds that a change is worth after its bytes are paid for."""
        net = trial.read_ms - max(trial.write_ms * demand, trial.write_ms)
        left = max(total_ms - net, 0.0)
        price = self.byte_price * left * trial.size_bytes / max(self.database_bytes, 1)
        return net - price

    def worthwhile(self, value: float, *, total_ms: float) -> bool:
        """Whether that is enough."""
        return value > self.min_share * total_ms


@dataclass(slots=True)
class _Entry:
    option: Option
    trial: Trial
    fresh: bool = True


@dataclass(slots=True, kw_only=True)
class Greedy:
    """Chooses changes one after the other, each in the presence of those before."""

    trials: Trials
    rules: Rules
    time_is_up: Deadline
    chosen: list[Choice] = field(default_factory=list)
    write_growth_ms: float = 0.0
    write_base_ms: float = 0.0

    def __post_init__(self) -> None:
        self.write_base_ms = self.trials.write_ms()

    def drop(self, options: Sequence[Option]) -> None:
        """Accept every removal that no statement misses."""
        for option in options:
            if self.time_is_up():
                return
            total = self.trials.total_ms()
            trial = self.trials.try_out(option.change)
            if trial is None or trial.worse or trial.net_ms < -self.rules.drop_loss * total:
                continue
            self._take(option, trial)

    def add(self, options: Sequence[Option]) -> None:
        """Choose additions until nothing left is worth its price."""
        self._choose_among(self._first_look(options))

    def _choose_among(self, entries: list[_Entry]) -> None:
        while entries and not self.time_is_up():
            total = self.trials.total_ms()
            best = self._best(entries, total)
            if not self.rules.worthwhile(self._value(best, total), total_ms=total):
                return
            if best.fresh:
                self._take_entry(entries, best)
            else:
                self._refresh(entries, best)

    def _best(self, entries: list[_Entry], total_ms: float) -> _Entry:
        entries.sort(key=lambda e: (-self._value(e, total_ms), e.option.change.subject))
        return entries[0]

    def _refresh(self, entries: list[_Entry], entry: _Entry) -> None:
        trial = self.trials.try_out(entry.option.change)
        if trial is None:
            entries.remove(entry)
        else:
            entry.trial, entry.fresh = trial, True

    def _take_entry(self, entries: list[_Entry], entry: _Entry) -> None:
        entries.remove(entry)
        if self._fits(entry.trial):
            self._take(entry.option, entry.trial)
            self._mark_stale(entries, entry)

    def widen(self, options: Sequence[Option], *, extends: Extends) -> None:
        """Replace what was chosen by longer forms of it, where those are worth the difference."""
        for place, choice in enumerate(self.chosen):
            for option in options:
                if self.time_is_up():
                    return
                if extends(option.change, choice.change):
                    self._swap(place, option)

    def _swap(self, place: int, option: Option) -> None:
        choice, total = self.chosen[place], self.trials.total_ms()
        swap = ChangeSpec(
            kind=choice.change.kind,
            subject=option.change.subject,
            apply=(*choice.change.revert, *option.change.apply),
            revert=(*option.change.revert, *choice.change.apply),
            summary=f"{option.change.summary} instead of {choice.change.subject}",
        )
        trial = self.trials.try_out(swap)
        if trial is None or trial.worse:
            return
        value = self.rules.value(trial, total_ms=total, demand=option.demand)
        if self.rules.worthwhile(value, total_ms=total) and self._fits(trial):
            self.trials.accept(swap)
            self.write_growth_ms += trial.write_ms
            self.chosen[place] = Choice(change=option.change, trial=choice.trial.plus(trial))

    def prune(self) -> None:
        """Take back what later choices made superfluous."""
        for choice in [c for c in self.chosen[:-1] if c.trial.size_bytes > 0]:
            if self.time_is_up():
                return
            total = self.trials.total_ms()
            inverse = ChangeSpec(
                kind=choice.change.kind,
                subject=choice.change.subject,
                apply=choice.change.revert,
                revert=choice.change.apply,
                summary=f"without {choice.change.subject}",
            )
            trial = self.trials.try_out(inverse)
            if trial is None or trial.worse:
                continue
            worth = -self.rules.value(trial, total_ms=total)
            if not self.rules.worthwhile(worth, total_ms=total):
                self.trials.withdraw(choice.change)
                self.write_growth_ms -= choice.trial.write_ms
                self.chosen.remove(choice)

    def _first_look(self, options: Sequence[Option]) -> list[_Entry]:
        """Try every option once, those for the costliest statements first.

        What halves the workload is taken as soon as its rivals for the same statement were seen:
        a statement that takes seconds would otherwise be run again for every other option.
        """
        entries: list[_Entry] = []
        ranked = sorted(options, key=lambda o: (-o.expected_ms, o.change.subject))
        for place, option in enumerate(ranked):
            if self.time_is_up(share=FIRST_LOOK_SHARE[option.wave]):
                break
            trial = self.trials.try_out(option.change) if self._can_pay(option) else None
            if trial is not None and trial.hope_ms > 0:
                entries.append(_Entry(option, trial))
            last = place + 1 == len(ranked) or ranked[place + 1].expected_ms < option.expected_ms
            if last:
                self._take_overwhelming(entries)
        return entries

    def _can_pay(self, option: Option) -> bool:
        """Whether what is left of the statements on its table could pay for an index at all."""
        left_ms = self.trials.table_ms(option.table)
        return self.rules.worthwhile(left_ms, total_ms=self.trials.total_ms())

    def _take_overwhelming(self, entries: list[_Entry]) -> None:
        while entries and not self.time_is_up():
            total = self.trials.total_ms()
            best = self._best(entries, total)
            if self._value(best, total) < OVERWHELMING * total:
                return
            if best.fresh:
                self._take_entry(entries, best)
            else:
                self._refresh(entries, best)

    def _value(self, entry: _Entry, total_ms: float) -> float:
        if not entry.fresh:
            return entry.trial.hope_ms
        return self.rules.value(entry.trial, total_ms=total_ms, demand=entry.option.demand)

    def _fits(self, trial: Trial) -> bool:
        """Whether the writes stay within their limit, or the reads pay for them many times."""
        growth = self.write_growth_ms + trial.write_ms
        limit = self.rules.max_write_growth * self.write_base_ms
        paid = trial.read_ms >= self.rules.pays * trial.write_ms
        return trial.write_ms <= 0 or growth <= limit or paid

    def _take(self, option: Option, trial: Trial) -> None:
        self.trials.accept(option.change)
        self.write_growth_ms += trial.write_ms
        self.chosen.append(Choice(change=option.change, trial=trial))

    @staticmethod
    def _mark_stale(entries: list[_Entry], taken: _Entry) -> None:
        """What helps other statements on other tables is unaffected by the choice."""
        touched = set(taken.trial.saved)
        for entry in entries:
            if entry.option.table == taken.option.table or touched & set(entry.trial.saved):
                entry.fresh = False


class Deadline(Protocol):
    """Answers whether the time for choosing is over."""

    def __call__(self, *, share: float = 1.0) -> bool:
        """Whether that share of the time is over."""
