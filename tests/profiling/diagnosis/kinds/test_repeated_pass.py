"""Sums and the like over what grows in the same loop."""

from __future__ import annotations

import pytest

from tests.profiling.diagnosis.kinds.claims import causes


@pytest.mark.parametrize("passing", ["sum(seen)", "max(seen)", "set(seen)", "', '.join(seen)"])
def test_a_pass_over_what_the_loop_makes_longer_is_found(passing: str) -> None:
    text = f"""
        def running(rows, seen):
            for row in rows:
                seen.append(row)
                show({passing})
    """
    assert causes(text, (passing,)) == {"running": "quadratic"}


def test_a_pass_over_a_slice_with_a_moving_end_is_found() -> None:
    text = """
        def means(rows):
            for i in range(len(rows)):
                yield sum(rows[:i])
    """
    assert causes(text, ("yield sum",)) == {"means": "quadratic"}


def test_a_pass_over_a_slice_of_fixed_length_from_the_front_is_no_square() -> None:
    text = """
        def heads(rows, names):
            for name in names:
                yield sum(rows[:9])
    """
    assert "quadratic" not in causes(text, ("yield sum",)).values()


def test_what_each_turn_makes_anew_may_be_summed() -> None:
    text = """
        def totals(orders):
            for order in orders:
                amounts = []
                for line in order.lines:
                    amounts.append(line.amount)
                yield sum(amounts)
    """
    assert causes(text, ("yield sum",)) == {}


def test_a_pass_after_the_loop_is_no_fault() -> None:
    text = """
        def total(rows):
            seen = []
            for row in rows:
                seen.append(row)
            return sum(seen)
    """
    assert causes(text, ("return sum",)) == {}


def test_a_method_that_adds_and_then_sums_at_each_call_is_found() -> None:
    text = """
        class Meter:
            def add(self, value):
                self.values.append(value)
                return sum(self.values)
        def run(meter, values):
            for value in values:
                meter.add(value)
    """
    assert causes(text, ("meter.add(value)", "return sum")) == {"Meter.add": "quadratic"}


@pytest.mark.parametrize(
    "value",
    [
        "sum(lists, [])",
        "sum((one.rows for one in lists), start=[])",
        "functools.reduce(operator.add, lists, [])",
        "functools.reduce(lambda a, b: a + b, lists, [])",
    ],
)
def test_adding_lists_up_copies_all_so_far_for_each(value: str) -> None:
    text = f"""
        import functools
        import operator
        def flat(lists):
            return {value}
    """
    assert causes(text, ("return ",)) == {"flat": "quadratic"}


@pytest.mark.parametrize(
    "value",
    [
        "sum(rows, 0)",
        "sum(rows)",
        "functools.reduce(operator.add, rows, 0)",
        "functools.reduce(operator.or_, rows, [])",
    ],
)
def test_adding_numbers_up_copies_nothing(value: str) -> None:
    text = f"""
        import functools
        import operator
        def total(rows):
            return {value}
    """
    assert causes(text, ("return ",)) == {}
