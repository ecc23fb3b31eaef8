"""A memo that is emptied too often."""

from __future__ import annotations

import pytest

from perfwright.profiling.diagnosis.examples import example
from tests.profiling.diagnosis.kinds.claims import claims, kinds_in

RULE = "dropped_memo"

TEXT = """
    class Market:
        def __init__(self):
            self.levels = {{}}
        def trade(self, symbol, price):
            {change}
            {drop}
        def level(self, index):
            {look}
                self.levels[index] = sum(self.prices[name] for name in index)
            return self.levels[index]
    def day(market, trades, indices):
        for symbol, price in trades:
            market.trade(symbol, price)
            for index in indices:
                market.level(index)
"""
CHANGE = "self.prices[symbol] = price"
DROP = "self.levels.clear()"
LOOK = "if index not in self.levels:"


def _blamed(
    *, change: str = CHANGE, drop: str = DROP, look: str = LOOK, trades: int = 1000
) -> list[str]:
    profile = example(
        TEXT.format(change=change, drop=drop, look=look),
        ("market.level(index)", "= sum(self.prices"),
        calls={("def day", "def trade"): trades},
    )
    return [claim.function.name for claim in claims(RULE, profile)]


@pytest.mark.parametrize(
    "drop", [DROP, "self.levels = {}", "self.levels = dict()", "if price: self.levels.clear()"]
)
def test_one_change_that_empties_all_is_found(drop: str) -> None:
    assert _blamed(drop=drop) == ["Market.trade"]


@pytest.mark.parametrize(
    "look",
    [LOOK, "if self.levels.get(index) is None:", "known = self.levels.get(index)\n"
     "            if known is None:"],
)  # fmt: skip
def test_the_usual_ways_to_look_first_are_known(look: str) -> None:
    assert _blamed(look=look) == ["Market.trade"]


def test_entries_that_belong_to_the_change_may_go() -> None:
    assert _blamed(drop="self.levels.pop(symbol, None)") == []


def test_a_limit_on_the_size_empties_seldom() -> None:
    assert _blamed(drop="if len(self.levels) > 1000: self.levels.clear()") == []


def test_a_new_state_as_a_whole_makes_all_of_it_wrong() -> None:
    assert _blamed(change="self.prices = symbol") == []


def test_a_few_changes_are_no_fault() -> None:
    assert _blamed(trades=3) == []


def test_what_is_no_memo_is_worked_out_anyway() -> None:
    assert _blamed(look="if index:") == []


def test_a_cached_function_that_is_cleared_for_each_change_is_found() -> None:
    text = """
        from functools import lru_cache
        PRICES = {}
        @lru_cache
        def level(index):
            return sum(PRICES[name] for name in index)
        def trade(symbol, price):
            PRICES[symbol] = price
            level.cache_clear()
        def day(trades, indices):
            for symbol, price in trades:
                trade(symbol, price)
                print([level(index) for index in indices])
    """
    profile = example(text, ("print([level", "return sum"), calls={("def day", "def trade"): 1000})
    assert kinds_in(profile) == {"trade": "repeated-work"}
