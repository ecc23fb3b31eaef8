"""Copies of whole trees."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

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
