"""Budgets: their grammar, and books that never exceed a cap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from perfwright.core import (
    Budget,
    BudgetExceededError,
    BudgetMeter,
    GrammarError,
    Resource,
    format_amount,
    parse_budget,
)

PARTS = {
    Resource.TIME: st.sampled_from(["30m", "90s", "1.5h", "0.25s"]),
    Resource.EXPERIMENTS: st.sampled_from(["200 experiments", "1 experiment", "1k experiments"]),
    Resource.MONEY: st.sampled_from(["$2", "$0.05", "$1k"]),
    Resource.TOKENS: st.sampled_from(["100k tokens", "1 token", "2000000 tokens"]),
    Resource.STORAGE: st.sampled_from(["1GiB", "1.5MiB", "300MB", "7B"]),
}


def test_the_example_of_the_design_sets_every_cap() -> None:
    assert parse_budget("30m,200 experiments,$2,100k tokens,1GiB").caps == {
        Resource.TIME: 1800.0,
        Resource.EXPERIMENTS: 200.0,
        Resource.MONEY: 2.0,
        Resource.TOKENS: 100_000.0,
        Resource.STORAGE: 2.0**30,
    }


def test_white_space_around_parts_means_nothing() -> None:
    assert parse_budget(" 30m ,  2  experiments ") == parse_budget("30m,2 experiments")


@pytest.mark.parametrize(
    ("text", "points_at", "expected"),
    [
        ("", "", "a cap"),
        ("30m,", "", "a cap"),
        ("30m,,$2", ",$2", "a cap"),
        ("30q", "q", "a unit"),
        ("$2, 30q", "q", "a unit"),
        ("30m, 40m", "40m", "time only once"),
        ("5", "5", "'N experiments'"),
        ("$1,5 potatoes", "5 potatoes", "'N experiments'"),
        ("5m tokens", "5m tokens", "'N experiments'"),
        ("50%", "50%", "a time"),
        ("30m,0 experiments", "0 experiments", "above zero"),
        ("-30m", "-30m", "above zero"),
        ("0m", "0m", "above zero"),
        ("2 big experiments", "2 big experiments", "a cap"),
        ("lots", "lots", "a number"),
    ],
)
def test_a_wrong_budget_is_refused_with_the_place(text: str, points_at: str, expected: str) -> None:
    with pytest.raises(GrammarError) as caught:
        parse_budget(text)
    assert text[caught.value.position :] == points_at
    assert expected in caught.value.expected
    assert caught.value.what == "budget"
    assert caught.value.text == text


@given(st.fixed_dictionaries({}, optional=PARTS).filter(bool))
def test_a_budget_is_written_as_it_is_read(parts: dict[Resource, str]) -> None:
    budget = parse_budget(",".join(parts.values()))
    assert set(budget.caps) == set(parts)
    assert parse_budget(str(budget)) == budget


def test_amounts_are_shown_in_the_unit_of_their_resource() -> None:
    assert format_amount(Resource.STORAGE, 1536) == "1.5KiB"
    assert format_amount(Resource.EXPERIMENTS, 3) == "3"


def test_a_resource_without_a_cap_is_never_used_up() -> None:
    meter = BudgetMeter(Budget({}))
    meter.reserve("a step", resource=Resource.MONEY, amount=1e9)
    assert meter.left(Resource.MONEY) == float("inf")


def test_a_reservation_that_does_not_fit_says_what_is_needed_and_left() -> None:
    meter = BudgetMeter(parse_budget("$1"))
    meter.reserve("first", resource=Resource.MONEY, amount=0.75)
    with pytest.raises(BudgetExceededError) as caught:
        meter.reserve("second", resource=Resource.MONEY, amount=0.5)
    error = caught.value
    assert (error.name, error.resource, error.need, error.left) == (
        "second",
        Resource.MONEY,
        "$0.50",
        "$0.25",
    )
    assert "second needs $0.50 of money but $0.25 is left" in str(error)


def test_a_refused_reservation_changes_nothing() -> None:
    meter = BudgetMeter(parse_budget("$1"))
    with pytest.raises(BudgetExceededError):
        meter.reserve("too much", resource=Resource.MONEY, amount=2.0)
    assert meter.left(Resource.MONEY) == 1.0


def test_an_overspent_budget_has_nothing_left_to_show() -> None:
    meter = BudgetMeter(parse_budget("10s"))
    meter.settle(resource=Resource.TIME, reserved=0.0, spent=12.0)
    with pytest.raises(BudgetExceededError, match="0s is left"):
        meter.reserve("late", resource=Resource.TIME, amount=1.0)


def test_what_was_reserved_and_not_spent_comes_back() -> None:
    meter = BudgetMeter(parse_budget("10s"))
    meter.reserve("step", resource=Resource.TIME, amount=8.0)
    meter.settle(resource=Resource.TIME, reserved=8.0, spent=3.0)
    assert meter.left(Resource.TIME) == 7.0


class Books(RuleBasedStateMachine):
    """Reserves and settles in any order; nobody spends more than was set aside."""

    @initialize(cap=st.integers(1, 1000))
    def open_books(self, cap: int) -> None:
        self.cap = cap
        self.meter = BudgetMeter(Budget({Resource.EXPERIMENTS: cap}))
        self.open: list[int] = []
        self.spent = 0

    @rule(amount=st.integers(0, 400))
    def reserve(self, amount: int) -> None:
        fits = amount <= self.cap - self.spent - sum(self.open)
        try:
            self.meter.reserve("step", resource=Resource.EXPERIMENTS, amount=amount)
        except BudgetExceededError:
            assert not fits
        else:
            assert fits
            self.open.append(amount)

    @rule(share=st.floats(0, 1))
    def settle(self, share: float) -> None:
        if self.open:
            reserved = self.open.pop()
            spent = int(share * reserved)
            self.meter.settle(resource=Resource.EXPERIMENTS, reserved=reserved, spent=spent)
            self.spent += spent

    @invariant()
    def never_exceeds_the_cap(self) -> None:
        used = self.meter.spent.get(Resource.EXPERIMENTS, 0.0)
        held = self.meter.reserved.get(Resource.EXPERIMENTS, 0.0)
        assert used == self.spent
        assert used + held <= self.cap
        assert self.meter.left(Resource.EXPERIMENTS) == self.cap - used - held


TestBooks = Books.TestCase
