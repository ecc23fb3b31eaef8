"""Every test checks something: one that cannot fail would be counted as proof and is none."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def bare_tests(source: str) -> list[str]:
    """Name the test functions in `source` that check nothing, in the order of the file."""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test")
        and not any(is_check(inner) for inner in ast.walk(node))
    ]


def is_check(node: ast.AST) -> bool:
    """Tell an assertion, a raises or warns block, or a call of an `assert...` helper."""
    match node:
        case ast.Assert(test=condition):
            return not isinstance(condition, ast.Constant)  # `assert True` cannot fail
        case ast.With(items=items) | ast.AsyncWith(items=items):
            return any(called(item.context_expr) in {"raises", "warns"} for item in items)
        case ast.Call():
            return "assert" in called(node)
        case _:
            return False


def called(node: ast.AST) -> str:
    """Return the last part of the name that `node` calls, or an empty string."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name
        case _:
            return ""


def test_no_test_of_the_suite_is_bare() -> None:
    modules = sorted(TESTS.rglob("test_*.py"))
    assert Path(__file__) in modules  # else the search looked in the wrong place
    bare = [
        f"{module.relative_to(TESTS)}::{name}"
        for module in modules
        for name in bare_tests(module.read_text(encoding="utf-8"))
    ]
    assert bare == []


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "work()",
        "assert True",
        "work() == 1",
        "with pytest.deprecated_call(): pass",
        "pytest.raises(ValueError)",
    ],
)
def test_a_test_that_checks_nothing_is_found(body: str) -> None:
    assert bare_tests(f"def test_work():\n    {body}\n") == ["test_work"]


@pytest.mark.parametrize(
    "body",
    [
        "assert work() == 1",
        "for x in work(): assert x",
        "with pytest.raises(ValueError): work()",
        "with pytest.warns(UserWarning) as seen: work()",
        "assert_kept(work())",
        "queue.assert_called_once()",
    ],
)
def test_a_test_that_checks_something_is_left_alone(body: str) -> None:
    assert bare_tests(f"def test_work():\n    {body}\n") == []


def test_bare_coroutines_within_classes_are_found() -> None:
    source = "class TestQueue:\n    async def test_put(self):\n        await put(1)\n"
    assert bare_tests(source) == ["test_put"]


def test_helpers_need_no_assertion() -> None:
    assert bare_tests("def make_queue():\n    return Queue()\n") == []
