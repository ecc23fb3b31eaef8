"""Conditions of a WHERE or ON, told apart by what an index could do for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from perfwright.agents.database.access.names import Instance, Names, own_columns
from perfwright.agents.database.access.source import exact_text
from perfwright.agents.database.access.stability import is_unstable
from perfwright.agents.database.artifacts import Operator, Term
from perfwright.agents.database.naming import quote

_RANGES = (exp.GT, exp.GTE, exp.LT, exp.LTE)
_UNSTABLE = (exp.Placeholder, exp.Parameter, exp.Subquery, exp.Query, exp.AggFunc, exp.Window)


@dataclass(frozen=True, slots=True)
class Restriction:
    """One term, and the mention of a table that it restricts."""

    instance: Instance
    term: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads the conditions of one SELECT."""

    names: Names
    scope: Scope
    sources: tuple[str, ...]
    """Where the words of an expression are looked up."""

    def restrictions(self, condition: exp.Expr) -> Iterator[Restriction]:
        """Yield the terms of one condition that holds no AND at its top."""
        if condition.args.get("negate"):  # NOT LIKE, IS NOT NULL
            return
        match condition:
            case exp.Paren():
                for part in conjuncts(condition):
                    yield from self.restrictions(part)
            case exp.EQ() | exp.NullSafeEQ():
                yield from self.equality(condition.left, condition.right)
            case exp.Is(expression=exp.Null()):
                yield from self.term(condition.this, "null", others=())
            case exp.Is():
                yield from self.term(condition.this, "=", others=(condition.expression,))
            case exp.In():
                yield from self.membership(condition.this, tuple(condition.expressions))
            case exp.Between():
                bounds = (condition.args["low"], condition.args["high"])
                yield from self.term(condition.this, "range", others=bounds)
            case exp.Like() | exp.Glob():
                collation = "NOCASE" if isinstance(condition, exp.Like) else "BINARY"
                pattern = (condition.expression,)
                yield from self.term(condition.this, "prefix", others=pattern, collation=collation)
            case exp.GT() | exp.GTE() | exp.LT() | exp.LTE():
                yield from self._range(condition.left, condition.right)
            case _:
                return

    def alternatives(self, condition: exp.Expr) -> tuple[tuple[Restriction, ...], ...]:
        """Return the sides of an OR, each with its terms; empty for everything else."""
        condition = condition.unnest()
        if not isinstance(condition, exp.Or):
            return ()
        return tuple(
            tuple(r for part in conjuncts(side) for r in self.restrictions(part))
            for side in condition.flatten()
        )

    def constant(self, condition: exp.Expr) -> tuple[Instance, str] | None:
        """Return the words of a condition on one table that holds no parameter."""
        owners = self._owners(condition)
        if len(owners) != 1 or None in owners or condition.find(*_UNSTABLE):
            return None
        resolved = [self.names.resolve(c, self.scope) for c in own_columns(condition)]
        if not all(r and r.direct for r in resolved):
            return None
        words = self._words(condition)
        instance = next(iter(owners))
        return (instance, words) if words and instance else None

    def equality(self, left: exp.Expr, right: exp.Expr) -> Iterator[Restriction]:
        """Yield the terms of two operands that must be equal."""
        left, right = _row(left), _row(right)
        if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            for one, other in zip(left.expressions, right.expressions, strict=False):
                yield from self.equality(one, other)
            return
        yield from self.term(left, "=", others=(right,))
        yield from self.term(right, "=", others=(left,))

    def _range(self, left: exp.Expr, right: exp.Expr) -> Iterator[Restriction]:
        left, right = _row(left), _row(right)
        if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            left, right = left.expressions[0], right.expressions[0]
        yield from self.term(left, "range", others=(right,))
        yield from self.term(right, "range", others=(left,))

    def membership(self, operand: exp.Expr, members: tuple[exp.Expr, ...]) -> Iterator[Restriction]:
        """Yield the terms of a list of values, of which one must equal the operand."""
        operand = operand.unnest()
        parts = operand.expressions if isinstance(operand, exp.Tuple) else [operand]
        for part in parts:
            yield from self.term(part, "in", others=members)

    def term(
        self,
        operand: exp.Expr,
        operator: Operator,
        *,
        others: tuple[exp.Expr, ...],
        collation: str | None = None,
    ) -> Iterator[Restriction]:
        """Yield the term that `operand` and `operator` make, if they restrict one table.

        Args:
            operand: A column or an expression on the columns of one table.
            operator: How it is restricted.
            others: What it is compared with.
            collation: As the operator implies it.
        """
        operand = operand.unnest()
        if isinstance(operand, exp.Collate):
            collation = self._collation(operand)
            operand = operand.this.unnest()
        for other in others:
            if isinstance(other, exp.Collate) and collation is None:
                collation = self._collation(other)
        owners = self._owners(operand)
        instance = next(iter(owners)) if len(owners) == 1 else None
        partners = {owner for other in others for owner in self._owners(other)}
        if instance is None or instance in partners or not self._reachable(instance):
            return
        if operator == "=" and any(p is not None and self._reachable(p) for p in partners):
            operator = "join"
        key, column = self.key(operand)
        if key:
            yield Restriction(
                instance, Term(key=key, column=column, operator=operator, collation=collation)
            )

    def key(self, operand: exp.Expr) -> tuple[str | None, str | None]:
        """Return an operand as an index would hold it, and its column when it is just that."""
        operand = operand.unnest()
        if isinstance(operand, exp.Column):
            resolved = self.names.resolve(operand, self.scope)
            return (quote(resolved.column), resolved.column) if resolved else (None, None)
        direct = all(
            (found := self.names.resolve(c, self.scope)) and found.direct
            for c in own_columns(operand)
        )
        if not direct or operand.find(*_UNSTABLE) or isinstance(operand, exp.Literal):
            return None, None
        return self._words(operand), None

    def _collation(self, node: exp.Collate) -> str:
        name = str(node.expression.name)
        return name.upper() if self.names.dialect == "sqlite" else name

    def _words(self, node: exp.Expr) -> str | None:
        if is_unstable(node, self.names.dialect):
            return None
        return exact_text(node, sources=self.sources, dialect=self.names.dialect)

    def owner(self, operand: exp.Expr) -> Instance | None:
        """The one table whose columns an expression uses; None for several or none."""
        owners = self._owners(operand)
        return next(iter(owners)) if len(owners) == 1 else None

    def _owners(self, node: exp.Expr) -> set[Instance | None]:
        """The mentions of tables that `node` uses; None stands for what cannot be resolved."""
        columns = _outer_columns(node) if isinstance(node, exp.Query) else own_columns(node)
        found = (self.names.resolve(c, self.scope) for c in columns)
        return {r.instance if r else None for r in found}

    def _reachable(self, instance: Instance) -> bool:
        """Whether the mention belongs to this SELECT or to a derived table of it."""
        at: Scope | None = instance.scope
        while at is not None:
            if at is self.scope:
                return True
            at = at.parent if at.is_derived_table or at.is_cte else None
        return False


def _outer_columns(query: exp.Query) -> Iterator[exp.Column]:
    """Yield the columns of a nested SELECT that belong to the one around it, by their qualifier."""
    inside = {source.alias_or_name.casefold() for source in query.find_all(exp.Table, exp.Subquery)}
    for column in query.find_all(exp.Column):
        if column.table and column.table.casefold() not in inside:
            yield column


def _row(operand: exp.Expr) -> exp.Expr:
    """Write ROW(a, b) as (a, b)."""
    operand = operand.unnest()
    if isinstance(operand, exp.Anonymous) and str(operand.this).lower() == "row":
        return exp.Tuple(expressions=list(operand.expressions))
    return operand


def conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the parts of a condition that are connected by AND."""
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        yield from conjuncts(condition.left)
        yield from conjuncts(condition.right)
    else:
        yield condition
