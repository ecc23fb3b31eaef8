"""Conditions that only PostgreSQL knows, or that it treats differently."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from perfwright.agents.database.access.conditions import Reader, Restriction, conjuncts
from perfwright.agents.database.access.names import Instance
from perfwright.agents.database.artifacts import Operator, Term
from perfwright.agents.database.naming import quote

_ANCHORED = re.compile(r"\^[\w ]")
_ARRAY_OPERATORS: dict[type[exp.Expr], Operator] = {
    exp.ArrayContainsAll: "contains",
    exp.ArrayContainedBy: "contains",
    exp.ArrayOverlaps: "overlap",
}
_KEYS = (exp.JSONBContainsTopKey, exp.JSONBContainsAnyTopKeys, exp.JSONBContainsAllTopKeys)
_SIMILAR = (exp.ILike, exp.RegexpILike, exp.Mod)  # a % b as a condition: trigram similarity


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresReader(Reader):
    """Reads the conditions of one SELECT of PostgreSQL."""

    wild: bool
    """Whether a pattern among the recorded values begins with a wildcard."""

    def term(
        self,
        operand: exp.Expr,
        operator: Operator,
        *,
        others: tuple[exp.Expr, ...],
        collation: str | None = None,
    ) -> Iterator[Restriction]:
        """Yield the term on one table, or on each side of a UNION, into which it is pushed."""
        found = list(Reader.term(self, operand, operator, others=others, collation=collation))
        yield from found
        column = operand.unnest()
        if found or not isinstance(column, exp.Column):
            return
        for below in self.names.spread(column, self.scope):
            term = Term(key=quote(below.column), column=below.column, operator=operator)
            yield Restriction(below.instance, term)

    def restrictions(self, condition: exp.Expr) -> Iterator[Restriction]:
        """Yield the terms of one condition that holds no AND at its top."""
        condition = condition.unnest()
        if condition.args.get("negate"):
            return
        match condition:
            case exp.And():
                for part in conjuncts(condition):
                    yield from self.restrictions(part)
            case exp.Column():
                yield from self.term(condition, "=", others=())
            case exp.Not():
                if isinstance(condition.this.unnest(), exp.Column):
                    yield from self.term(condition.this, "=", others=())
            case exp.NullSafeEQ():
                return  # no index answers IS NOT DISTINCT FROM
            case exp.EQ():
                yield from self._equal(condition)
            case exp.Operator():
                yield from self._named(condition)
            case exp.Escape():
                yield from self.restrictions(condition.this)
            case exp.Like() | exp.RegexpLike() | exp.SimilarTo() | exp.StartsWith():
                yield from self._pattern(condition)
            case _:
                yield from self._inverted(condition)

    def constant(self, condition: exp.Expr) -> tuple[Instance, str] | None:
        """Return the words of a condition on one table that holds no parameter.

        Similarity and text search depend on settings, so PostgreSQL refuses them here.
        """
        if isinstance(condition.unnest(), exp.Mod | exp.Operator | exp.MatchAgainst):
            return None
        return Reader.constant(self, condition)

    def _inverted(self, condition: exp.Expr) -> Iterator[Restriction]:
        operator = _ARRAY_OPERATORS.get(type(condition))
        if operator is not None:
            left, right = condition.this, condition.args["expression"]
            yield from self._both(left, right, operator=operator)
        elif isinstance(condition, _KEYS):
            yield from self.term(condition.this, "keys", others=(condition.expression,))
        elif isinstance(condition, exp.JSONBPathExists):
            yield from self.term(condition.this, "contains", others=())
        elif isinstance(condition, exp.MatchAgainst):
            sides = [*condition.expressions, condition.this]
            yield from self._both(sides[0], sides[-1], operator="match")
        elif isinstance(condition, _SIMILAR):
            others = (_listed(condition.expression),)
            yield from self.term(condition.this, "like", others=others)
        else:
            yield from Reader.restrictions(self, condition)

    def _equal(self, condition: exp.EQ) -> Iterator[Restriction]:
        left, right = condition.left.unnest(), condition.right.unnest()
        members = _members(right)
        if members is not None:
            yield from self.membership(left, (members,))
        elif _members(left) is None:
            yield from self.equality(left, right)

    def _named(self, condition: exp.Operator) -> Iterator[Restriction]:
        """`a OPERATOR(schema.=) b`, and the operators that sqlglot has no class for."""
        left, right = condition.this, condition.expression
        match str(condition.args["operator"]).rsplit(".", 1)[-1]:
            case "=":
                yield from self._equal(exp.EQ(this=left, expression=right))
            case "<" | ">" | "<=" | ">=":
                yield from self._both(left, right, operator="range")
            case "~~" | "~":
                yield from self._pattern(exp.Like(this=left, expression=right))
            case "%" | "<%" | "%>" | "<<%" | "%>>" | "~~*" | "~*":
                yield from self._both(left, right, operator="like")
            case "@>" | "<@":
                yield from self._both(left, right, operator="contains")
            case "&&":
                yield from self._both(left, right, operator="overlap")
            case "@@" | "@@@":
                yield from self._both(left, right, operator="match")
            case _:
                return

    def _both(
        self, left: exp.Expr, right: exp.Expr, *, operator: Operator
    ) -> Iterator[Restriction]:
        yield from self.term(left, operator, others=(right,))
        yield from self.term(right, operator, others=(left,))

    def _pattern(self, condition: exp.Expr) -> Iterator[Restriction]:
        pattern = _listed(condition.expression).unnest()
        operator: Operator = "like" if self._is_open(condition, pattern) else "prefix"
        yield from self.term(condition.this, operator, others=(pattern,))

    def _is_open(self, condition: exp.Expr, pattern: exp.Expr) -> bool:
        """Whether the pattern fits values of any beginning."""
        first = _beginning(pattern)
        if first is None:
            return self.wild or isinstance(condition, exp.RegexpLike)
        if isinstance(condition, exp.RegexpLike):
            return _ANCHORED.match(first) is None
        return not isinstance(condition, exp.StartsWith) and first[:1] in {"%", "_", ""}


def _beginning(pattern: exp.Expr) -> str | None:
    """The text that a pattern begins with, where the statement tells it."""
    while True:
        match pattern.unnest():
            case exp.Literal() as literal:
                return str(literal.this)
            case exp.Cast() | exp.Collate() | exp.DPipe() | exp.Upper() | exp.Lower() as outer:
                pattern = outer.this
            case exp.Concat() as call if call.expressions:
                pattern = call.expressions[0]
            case _:
                return None


def _listed(pattern: exp.Expr) -> exp.Expr:
    """The first pattern of `LIKE ANY (ARRAY[...])`."""
    members = _members(pattern.unnest())
    if members is None:
        return pattern
    listed = members.unnest()
    first: exp.Expr = listed.expressions[0] if listed.expressions else listed
    return first if isinstance(listed, exp.Array) else listed


def _members(node: exp.Expr) -> exp.Expr | None:
    """The array or SELECT within ANY or SOME; None for everything else."""
    inner: exp.Expr | None = None
    if isinstance(node, exp.Any):
        inner = node.this
    elif isinstance(node, exp.Anonymous) and str(node.this).lower() == "some":
        inner = next(iter(node.expressions), None)
    return inner.this if isinstance(inner, exp.Paren) else inner
