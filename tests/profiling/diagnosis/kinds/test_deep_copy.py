"""Copies of whole trees."""

from __future__ import annotations

import pytest

from tests.profiling.diagnosis.kinds.claims import causes, culprits

RULE = "deep_copy"


def test_the_function_that_asks_for_the_copy_is_blamed_not_a_class_that_copies_itself() -> None:
    text = """
        import copy
        def snapshot(cart):
            return copy.deepcopy(cart)
        class Cart:
            def __deepcopy__(self, memo):
                return Cart(copy.deepcopy(self.lines, memo))
    """
    deep = ("copy.py", "deepcopy")
    path = ("copy.deepcopy(cart)", deep, "return Cart", deep)
    assert culprits(RULE, text, path) == ["snapshot"]


def test_a_round_trip_through_json_is_a_copy() -> None:
    text = """
        import json
        def clone(state):
            return json.loads(json.dumps(state))
    """
    assert culprits(RULE, text, ("json.loads", ("json/decoder.py", "decode"))) == ["clone"]


def test_a_file_of_another_library_that_ends_in_copy_is_not_meant() -> None:
    text = "def run(table):\n    table.load()\n"
    assert culprits(RULE, text, ("table.load", ("driver/pgcopy.py", "deepcopy"))) == []


def test_a_round_trip_in_two_steps_is_a_copy() -> None:
    text = """
        import pickle
        def clone(state):
            dumped = pickle.dumps(state)
            return pickle.loads(dumped)
    """
    assert causes(text, ("dumped = pickle",)) == {"clone": "deepcopy"}


def test_loading_what_came_from_elsewhere_is_no_copy() -> None:
    text = """
        import json, pickle
        def read(state, source):
            dumped = source.read()
            return json.loads(dumped)
        def convert(state):
            dumped = pickle.dumps(state)
            return json.loads(dumped)
    """
    assert "deepcopy" not in causes(text, ("dumped = source",), ("dumped = pickle",)).values()


def test_a_copy_written_by_hand_is_found() -> None:
    text = """
        def clone(node):
            if isinstance(node, dict):
                return {key: clone(value) for key, value in node.items()}
            if isinstance(node, list):
                return [clone(value) for value in node]
            return node
    """
    assert causes(text, ("return {key",), ("return [clone",)) == {"clone": "deepcopy"}


def test_a_walk_that_makes_something_else_of_the_leaves_is_no_copy() -> None:
    text = """
        def render(node):
            if isinstance(node, list):
                return [render(value) for value in node]
            return str(node)
    """
    assert causes(text, ("return [render",)) == {}


def test_a_walk_with_a_second_argument_is_no_copy() -> None:
    text = """
        def pick(node, depth):
            if depth:
                return [pick(value, depth - 1) for value in node]
            return node
    """
    assert "deepcopy" not in causes(text, ("return [pick",)).values()


BY_LEVELS = """
    def snapshot(grid):
        return [[dict(cell) for cell in row] for row in grid]
    def run(grid, moves):
        for move in moves:
            snapshot(grid)
    def once(grid):
        return snapshot(grid)
"""


def test_copying_each_cell_of_each_row_again_and_again_is_found() -> None:
    path = ("    snapshot(grid)", "return [[dict")
    assert causes(BY_LEVELS, path) == {"snapshot": "deepcopy"}


def test_copying_each_cell_of_each_row_once_is_no_fault() -> None:
    path = ("return snapshot(grid)", "return [[dict")
    assert "deepcopy" not in causes(BY_LEVELS, path).values()


def test_the_time_of_deepcopy_in_a_library_is_not_the_users() -> None:
    text = "def run(table):\n    table.load()\n"
    library, deep = ("site-packages/orm/base.py", "load"), ("copy.py", "deepcopy")
    assert causes(text, ("table.load", library, deep)) == {}


@pytest.mark.parametrize(
    "step",
    [
        "node = cancel(node)",
        "if node.is_number(): return node",
        "best = min(variants(node), key=count)",
    ],
)
def test_a_recursion_that_works_something_out_on_the_way_is_no_copy(step: str) -> None:
    text = f"""
        def simplify(node):
            if isinstance(node, list):
                return [simplify(part) for part in node]
            {step}
            return node
    """
    assert "deepcopy" not in causes(text, ("return [simplify",)).values()


@pytest.mark.parametrize(
    "made", ["tuple(frozen(part) for part in node)", "frozenset(frozen(part) for part in node)"]
)
def test_making_other_containers_is_a_conversion(made: str) -> None:
    text = f"""
        def frozen(node):
            if isinstance(node, list):
                return {made}
            return node
    """
    assert "deepcopy" not in causes(text, ("return ",)).values()


def test_a_copy_by_hand_may_fill_containers_and_make_objects() -> None:
    text = """
        def clone(node):
            if isinstance(node, dict):
                made = {}
                for key, value in node.items():
                    made[key] = clone(value)
                return made
            if isinstance(node, Line):
                return Line([clone(part) for part in node.parts])
            return node
    """
    assert causes(text, ("made[key] =",), ("return Line",)) == {"clone": "deepcopy"}
