"""Statements grouped into shapes: the same text but for its values."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from perfwright.agents.database.artifacts import Parameters, Sample, Shape
from perfwright.agents.database.workload.lexing import VALUES, Token, is_misquoted, tokenize

MAX_SAMPLES = 20
MAX_REMEMBERED = 400  # executions of one shape that samples are chosen from; about 100 KB a shape
MIN_CONSTANT_CALLS = 10  # with fewer executions, a value that never changed says little
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_ROWS = re.compile(r"(\(\?[^()]*\))(?:\s*,\s*\(\?[^()]*\))+")
_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE"})
_READS = frozenset({"SELECT", "VALUES", "WITH"})
_OTHERS = frozenset(
    {"ALTER", "ANALYZE", "ATTACH", "BEGIN", "COMMIT", "CREATE", "DETACH", "DROP", "END"}
    | {"EXPLAIN", "PRAGMA", "REINDEX", "RELEASE", "ROLLBACK", "SAVEPOINT", "VACUUM"}
)
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
        names: Every identifier of the schema, folded: other double-quoted words are strings.
    """

    def __init__(self, *, names: frozenset[str] = frozenset()) -> None:
        self._names = names
        self._groups: dict[str, _Group] = {}

    def add(self, execution: Execution) -> bool:
        """Take one execution; False for a statement that neither reads nor writes rows."""
        tokens = list(tokenize(execution.sql))
        write = _writes(tokens)
        if write is None:
            return False
        found = list(_values(tokens, self._names))
        text = _mask(tokens, {position for position, _ in found})
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
            template=_template(first.sql, group.steady, names=self._names),
            write=group.write,
            calls=group.calls,
            recorded_ms=group.ms if group.timed else None,
            samples=_choose(group.remembered, calls=group.calls),
        )


def _writes(tokens: list[Token]) -> bool | None:
    """Tell writes (True), reads (False) and all other statements (None) apart."""
    words = [t.text.upper() for t in tokens if t.kind == "word"]
    first = words[0] if words else ""
    if first in _WRITES:
        return True
    if first in _READS:
        depth = 0
        for token in tokens:  # WITH ... INSERT: the verb stands outside of all parentheses
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0 and first == "WITH" and token.text.upper() in _WRITES - {"REPLACE"}:
                return True
        return False
    return None


def is_sqlite(sql: str) -> bool:
    """Tell a statement of a kind that SQLite knows, by its first word; a lone comment is one."""
    first = next((token for token in tokenize(sql) if token.text != ";"), None)
    return first is None or first.text.upper() in _WRITES | _READS | _OTHERS


def outline(sql: str) -> str:
    """Shorten a statement to one line of `MAX_OUTLINE` characters, its values hidden.

    A value can be a secret, such as the key of an encrypted database.
    """
    parts: list[str] = []
    end = 0
    for token in tokenize(sql):
        space = " " if parts and token.start > end else ""
        if token.text in {"'", '"'}:  # never closed: all that follows may be a value
            parts.append(f"{space}?")
            break
        parts.append(space + ("?" if token.kind in VALUES | {"quoted"} else token.text))
        end = token.end
    text = "".join(parts) or "a comment"
    return text if len(text) <= MAX_OUTLINE else f"{text[: MAX_OUTLINE - 1]}…"


def _values(tokens: list[Token], names: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Yield place and text of each literal value."""
    for place, token in enumerate(tokens):
        if token.kind in VALUES or is_misquoted(tokens, at=place, names=names):
            yield place, token.text


def _mask(tokens: list[Token], values: set[int]) -> str:
    """Render the tokens with `?` for values and parameters, and lists of them as one."""
    parts: list[str] = []
    before: Token | None = None
    for place, token in enumerate(tokens):
        hidden = place in values or token.kind == "parameter"
        part = "?" if hidden else token.text.lower() if token.kind == "word" else token.text
        if before is not None and _needs_space(before, token):
            parts.append(" ")
        parts.append(part)
        before = token
    text = _LIST.sub("(?+)", "".join(parts))
    return _ROWS.sub(r"\1+", text).rstrip("; ")


def _needs_space(before: Token, token: Token) -> bool:
    if before.text in {"(", "."} or token.text in {")", ".", ",", ";"}:
        return False
    return not (token.text == "(" and before.kind == "word" and before.text.upper() not in _SPACED)


_SPACED = frozenset(
    {
        "AND",
        "AS",
        "BY",
        "EXISTS",
        "FROM",
        "IN",
        "JOIN",
        "NOT",
        "ON",
        "OR",
        "SELECT",
        "SET",
        "VALUES",
    }
    | {"WHEN", "WHERE"}
)


def _template(sql: str, steady: list[bool], *, names: frozenset[str]) -> str:
    """Replace the values that change by parameters `:pwN`."""
    tokens = list(tokenize(sql))
    parts: list[str] = []
    end = 0
    changing = [
        place for (place, _), same in zip(_values(tokens, names), steady, strict=True) if not same
    ]
    for number, place in enumerate(changing):
        token = tokens[place]
        parts += [sql[end : token.start], f":pw{number}"]
        end = token.end
    return "".join([*parts, sql[end:]]).rstrip().rstrip(";")


def _choose(executions: list[Execution], *, calls: int) -> tuple[Sample, ...]:
    """Pick up to `MAX_SAMPLES` executions, spread evenly over the slow and the fast ones."""
    ranked = sorted(executions, key=lambda e: e.ms or 0.0)
    wanted = min(MAX_SAMPLES, len(ranked))
    step = len(ranked) / wanted
    chosen = [ranked[int((number + 0.5) * step)] for number in range(wanted)]
    return tuple(Sample(sql=e.sql, parameters=e.parameters, weight=calls / wanted) for e in chosen)
