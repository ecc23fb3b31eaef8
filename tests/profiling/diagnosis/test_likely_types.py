"""Likely types."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from perfwright.profiling.diagnosis.likely_types import type_of
from perfwright.profiling.diagnosis.source import ModuleSource

TEXT = """
    KNOWN = {"a", "b"}
    def made(n):
        return [] if n else list(n)
    def unsure(n):
        if n:
            return []
        return {}
    def annotated() -> dict[str, int]:
        return load()
    class Store:
        limit: int = 3
        def __init__(this):
            this.rows = made(1)
        def names(this):
            return set(this.rows)
        def ask(this, given, seen={}, late=None, empty=(), *more, key: frozenset[str], **options):
            late = late or {}
            both = set(given) if late else set()
            given.append(1)
            copied = KNOWN.copy()
            RESULT
"""


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("KNOWN", "set"),
        ("made(3)", "list"),
        ("unsure(3)", None),
        ("annotated()", "dict"),
        ("this.names()", "set"),
        ("other.names()", None),
        ("given", "list"),
        ("seen", "dict"),
        ("late", "dict"),
        ("empty", None),
        ("more", "tuple"),
        ("key", "set"),
        ("options", "dict"),
        ("both", "set"),
        ("copied", "set"),
        ("range(9)", "range"),
        ("options.items()", "set"),
        ("both | KNOWN", "set"),
        ("given[1:]", "list"),
        ("unknown", None),
    ],
)
def test_it_is_read_from_values_defaults_returns_and_use(expression: str, kind: str | None) -> None:
    module = ModuleSource.parse(dedent(TEXT).replace("RESULT", expression), file="store.py")
    assert module is not None
    function = module.by_name["Store.ask"]
    statement = function.node.body[-1]
    assert isinstance(statement, ast.Expr)
    assert type_of(statement.value, of=function) == kind
