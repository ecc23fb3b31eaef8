"""Functions, loops and where a late sample belongs."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.profiling.diagnosis.constants import constant
from perfwright.profiling.diagnosis.landing import landing_lines
from perfwright.profiling.diagnosis.likely_types import type_of
from perfwright.profiling.diagnosis.source import FunctionSource, ModuleSource
from perfwright.profiling.diagnosis.syntax import derived_from_input, is_invariant

TEXT = dedent(
    """
    import functools
    NAMES = ["a", "b"]
    class Cart:
        @functools.cache
        def total(self, rows: list[str], limit):
            seen, html = [], ""
            for row in rows:
                if row in seen:
                    continue
                seen.append(row)
                html += row
            def inner(x):
                return x
            return [len(r) for r in rows if limit]
    def lonely(key):
        factor = 3
        for name in NAMES:
            value = key + factor
            other = len(NAMES)
        return value, other
    """
)


def module() -> ModuleSource:
    found = ModuleSource.parse(TEXT, file="/x.py")
    assert found is not None
    return found


def function(name: str) -> FunctionSource:
    return next(f for f in module().functions if f.name == name)


def node_at(source: FunctionSource, text: str) -> ast.AST:
    return next(
        n for n in source.nodes if isinstance(n, ast.expr | ast.stmt) and ast.unparse(n) == text
    )


def test_functions_are_known_by_their_qualified_names() -> None:
    assert [f.name for f in module().functions] == [
        "Cart.total",
        "Cart.total.<locals>.inner",
        "lonely",
    ]


def test_a_function_begins_at_its_decorator() -> None:
    assert TEXT.splitlines()[function("Cart.total").first_line - 1].strip() == "@functools.cache"


def test_the_innermost_function_around_a_line_is_found() -> None:
    line = next(i for i, t in enumerate(TEXT.splitlines(), 1) if "return x" in t)
    found = module().function_at(line)
    assert found is not None
    assert found.name == "Cart.total.<locals>.inner"


def test_what_a_loop_iterates_over_is_not_in_the_loop() -> None:
    source = function("Cart.total")
    loop = next(n for n in source.nodes if isinstance(n, ast.For))
    assert source.loops_around(loop.iter) == []
    assert source.loops_around(loop.body[0]) == [loop]


def test_a_comprehension_is_a_loop_for_its_element_only() -> None:
    source = function("Cart.total")
    comprehension = next(n for n in source.nodes if isinstance(n, ast.ListComp))
    assert source.loops_around(comprehension.elt) == [comprehension]
    assert source.loops_around(comprehension.generators[0].iter) == []


def test_a_file_that_cannot_be_parsed_is_no_error() -> None:
    assert ModuleSource.parse("def f(:", file="/x.py") is None
    assert ModuleSource.parse("\0", file="/x.py") is None


@pytest.mark.parametrize(
    ("text", "kind"), [("seen", "list"), ("html", "str"), ("rows", "list"), ("limit", None)]
)
def test_types_come_from_assignments_and_annotations(text: str, kind: str | None) -> None:
    expression = ast.parse(text, mode="eval").body
    assert type_of(expression, of=function("Cart.total")) == kind


def test_what_depends_on_arguments_is_told_from_what_does_not() -> None:
    found = derived_from_input(function("lonely"))
    assert "value" in found
    assert not found & {"factor", "other", "name"}


def test_an_expression_is_invariant_when_no_turn_changes_what_it_reads() -> None:
    source = function("lonely")
    loop = next(n for n in source.nodes if isinstance(n, ast.For))
    assert is_invariant(ast.parse("len(NAMES)", mode="eval").body, loop)
    assert not is_invariant(ast.parse("len(name)", mode="eval").body, loop)


def test_a_membership_test_is_seen_at_the_end_of_its_loop() -> None:
    source = function("Cart.total")
    test = node_at(source, "row in seen")
    landing = landing_lines(source, test)
    texts = {TEXT.splitlines()[line - 1].strip() for line in landing}
    assert "continue" in texts
    assert "seen.append(row)" in texts


def test_an_operation_within_a_call_is_seen_where_it_is() -> None:
    source = function("lonely")
    assert landing_lines(source, node_at(source, "len(NAMES)").args[0]) == frozenset()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'a' + 'b'", "ab"),
        ("'%s-%s' % ('a', 'b')", "a-b"),
        ("'|'.join(['a', 'b'])", "a|b"),
        ("'{x}'.format(x='a')", "a"),
        ("'abc'[1:-1]", "b"),
        ("'%d' % 'x'", None),
        ("unknown", None),
    ],
)
def test_constant_texts_are_worked_out(text: str, value: str | None) -> None:
    assert constant(ast.parse(text, mode="eval").body, function("lonely")) == value


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    found = ModuleSource.parse(text, file="/x.py")
    assert found is None or found.functions is not None
