"""Statements grouped into shapes: the same text but for its values."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from perfwright.agents.database.artifacts import Parameters, Sample, Shape
from perfwright.agents.database.catalog import Dialect
from perfwright.agents.database.workload.kinds import changes_rows
from perfwright.agents.database.workload.lexing import VALUES, tokenize
from perfwright.agents.database.workload.masks import literals, mask, template

MAX_SAMPLES = 20
MAX_REMEMBERED = 400  # executions of one shape that samples are chosen from; about 100 KB a shape
MIN_CONSTANT_CALLS = 10  # with fewer executions, a value that never changed says little
MAX_OUTLINE = 60  # characters of a statement that a note names


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One statement of a workload."""

    sql: str
    parameters: Parameters = None
    ms: float | None = None
    count: int = 1


@dataclass(slots=True)
class _Group:
    text: str
    write: bool
    values: list[str]
    """Of the first execution, in the order of the text."""
    steady: list[bool]
    calls: int = 0
    ms: float = 0.0
    timed: bool = True
    stride: int = 1
    seen: int = 0
    remembered: list[Execution] = field(default_factory=list)

    def add(self, execution: Execution, values: list[str]) -> None:
        self.calls += execution.count
        self.ms += (execution.ms or 0.0) * execution.count
        self.timed = self.timed and execution.ms is not None
        if len(values) != len(self.values):  # lists of different lengths
            self.steady = [False] * len(self.steady)
        else:
            pairs = zip(self.steady, self.values, values, strict=True)
            self.steady = [known and old == new for known, old, new in pairs]
        if self.seen % self.stride == 0:
            self.remembered.append(execution)
            if len(self.remembered) > MAX_REMEMBERED:
                self.remembered = self.remembered[::2]
                self.stride *= 2
        self.seen += 1


class ShapeCollector:
    """Groups executions as they are read, in memory that does not grow with the workload.

    Args:
        names: Every identifier of the schema, folded: other double-quoted words are strings, in
            SQLite.
        dialect: How the statements are written.
    """

    def __init__(self, *, names: frozenset[str] = frozenset(), dialect: Dialect = "sqlite") -> None:
        self._names = names if dialect == "sqlite" else frozenset[str]()
        self._dialect: Dialect = dialect
        self._groups: dict[str, _Group] = {}

    def add(self, execution: Execution) -> bool:
        """Take one execution; False for a statement that neither reads nor writes rows."""
        tokens = list(tokenize(execution.sql, self._dialect))
        write = changes_rows(tokens, self._dialect)
        if write is None:
            return False
        found = list(literals(tokens, self._names))
        places = {position for position, _ in found}
        text = mask(tokens, places, dialect=self._dialect)
        values = [value for _, value in found]
        group = self._groups.get(text)
        if group is None:
            group = self._groups[text] = _Group(text, write, values, [True] * len(values))
        group.add(execution, values)
        return True

    def shapes(self) -> tuple[Shape, ...]:
        """All shapes so far, the most time first, then the most calls."""
        shapes = [self._shape(group) for group in self._groups.values()]
        return tuple(sorted(shapes, key=lambda s: (-(s.recorded_ms or 0.0), -s.calls, s.id)))

    def _shape(self, group: _Group) -> Shape:
        first = group.remembered[0]
        return Shape(
            id=hashlib.sha256(group.text.encode()).hexdigest()[:10],
            text=group.text,
            template=template(first.sql, group.steady, names=self._names, dialect=self._dialect),
            write=group.write,
            calls=group.calls,
            recorded_ms=group.ms if group.timed else None,
            samples=_choose(group.remembered, calls=group.calls),
        )


def outline(sql: str, dialect: Dialect = "sqlite") -> str:
    """Shorten a statement to one line of `MAX_OUTLINE` characters, its values hidden.

    A value can be a secret, such as the key of an encrypted database.
    """
    hidden = VALUES | {"quoted"} if dialect == "sqlite" else VALUES
    parts: list[str] = []
    end = 0
    for token in tokenize(sql, dialect):
        space = " " if parts and token.start > end else ""
        if token.text in {"'", '"'}:  # never closed: all that follows may be a value
            parts.append(f"{space}?")
            break
        parts.append(space + ("?" if token.kind in hidden else token.text))
        end = token.end
    text = "".join(parts) or "a comment"
    return text if len(text) <= MAX_OUTLINE else f"{text[: MAX_OUTLINE - 1]}…"


def _choose(executions: list[Execution], *, calls: int) -> tuple[Sample, ...]:
    """Pick up to `MAX_SAMPLES` executions, spread evenly over the slow and the fast ones."""
    ranked = sorted(executions, key=lambda e: e.ms or 0.0)
    wanted = min(MAX_SAMPLES, len(ranked))
    step = len(ranked) / wanted
    chosen = [ranked[int((number + 0.5) * step)] for number in range(wanted)]
    return tuple(Sample(sql=e.sql, parameters=e.parameters, weight=calls / wanted) for e in chosen)
