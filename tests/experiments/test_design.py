"""The plan of an experiment."""

from __future__ import annotations

import math
import random
from itertools import islice
from typing import Any

import pytest

from perfwright.core import Arm, ConfigError
from perfwright.experiments import Design, blocks
from perfwright.experiments.design import ABBA, BAAB


@pytest.mark.parametrize(
    ("values", "field", "problem"),
    [
        ({"min_effect": -0.1}, "min_effect", "between 0 and 1"),
        ({"min_effect": 1.0}, "min_effect", "between 0 and 1"),
        ({"min_effect": math.nan}, "min_effect", "between 0 and 1"),
        ({"warmup": -1}, "warmup", "not be negative"),
        ({"alpha": 0.0}, "alpha", "between 0 and 0.5"),
        ({"alpha": -0.01}, "alpha", "between 0 and 0.5"),
        ({"alpha": 1.0}, "alpha", "between 0 and 0.5"),
        ({"alpha": math.nan}, "alpha", "between 0 and 0.5"),
        ({"max_pairs": 19}, "pairs", "needs at least 20 pairs"),
        ({"max_pairs": 0}, "pairs", "needs at least 20 pairs"),
        ({"max_pairs": 20, "alpha": 0.001}, "pairs", "needs at least 28 pairs"),
    ],
)
def test_a_plan_that_cannot_decide_is_refused(
    values: dict[str, Any], field: str, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        Design(**values)
    assert caught.value.field == field


def test_the_last_look_comes_at_the_last_pair() -> None:
    assert Design(max_pairs=100).looks()[-1].blocks == 50


def test_the_smallest_effect_is_a_log_ratio() -> None:
    assert math.exp(Design(min_effect=0.05).gain) == pytest.approx(0.95)
    assert Design(min_effect=0.0).gain == 0.0


def test_every_block_is_abba_or_baab() -> None:
    orders = list(islice(blocks(random.Random(3)), 200))
    assert set(orders) == {ABBA, BAAB}
    assert all(order.count(Arm.A) == order.count(Arm.B) == 2 for order in orders)


def test_the_coin_of_the_blocks_is_fair() -> None:
    heads = sum(order == ABBA for order in islice(blocks(random.Random(5)), 2000))
    assert 900 < heads < 1100


def test_a_seed_fixes_the_order() -> None:
    once, again, other = (list(islice(blocks(random.Random(seed)), 30)) for seed in (1, 1, 2))
    assert once == again != other
