"""Which statements stand together: in one transaction, or one after the other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from perfwright.agents.database.artifacts import Repetition

MAX_SHARE = 0.99  # a session that does nothing else would make every row a coincidence
MAX_TRANSACTION = 2_000  # statements; a program that never commits has one without end, no request


@dataclass(slots=True)
class _Groups:
    """Executions of one shape, and how they fall into groups."""

    seen: int = 0
    groups: int = 0
    squares: int = 0

    def add(self, size: int) -> None:
        self.seen += size
        self.groups += 1
        self.squares += size * size


@dataclass(slots=True)
class Repetitions:
    """Takes statements in the order of their sessions; answers how each shape repeats.

    Statements of one transaction count together whatever stands between them. Outside of
    transactions only an unbroken row of one shape on one session counts.
    """

    _open: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    _transactions: dict[str, _Groups] = field(default_factory=dict)
    _rows: dict[str, _Groups] = field(default_factory=dict)
    _last: dict[str, tuple[str, int]] = field(default_factory=dict)
    _outside: Counter[str] = field(default_factory=Counter)

    def add(self, shape: str, *, session: str, transaction: str | None) -> None:
        """Take one execution."""
        if transaction is not None:
            self._end_row(session)
            self._open.setdefault((session, transaction), Counter())[shape] += 1
            return
        self._outside[shape] += 1
        before, length = self._last.get(session, ("", 0))
        if before != shape:
            self._end_row(session)
            length = 0
        self._last[session] = (shape, length + 1)

    def _end_row(self, session: str) -> None:
        shape, length = self._last.pop(session, ("", 0))
        if length:
            self._rows.setdefault(shape, _Groups()).add(length)

    def result(self) -> dict[str, Repetition]:
        """Return the stronger of both kinds for each shape, and forget everything."""
        for counts in self._open.values():
            if counts.total() > MAX_TRANSACTION:
                continue
            for shape, count in counts.items():
                self._transactions.setdefault(shape, _Groups()).add(count)
        self._open.clear()
        for session in list(self._last):
            self._end_row(session)
        total = self._outside.total()
        found: dict[str, Repetition] = {}
        for shape, groups in self._rows.items():
            share = min(MAX_SHARE, self._outside[shape] / total)
            chance = (1 + share) / (1 - share)  # size-weighted mean of a geometric distribution
            found[shape] = _repetition(groups, within="row", by_chance=chance)
        for shape, groups in self._transactions.items():
            known = found.get(shape)
            if known is None or groups.seen >= known.seen:
                found[shape] = _repetition(groups, within="transaction", by_chance=1.0)
        return found


def _repetition(groups: _Groups, *, within: str, by_chance: float) -> Repetition:
    return Repetition(
        within="transaction" if within == "transaction" else "row",
        together=groups.squares / groups.seen,
        by_chance=by_chance,
        seen=groups.seen,
        groups=groups.groups,
    )
