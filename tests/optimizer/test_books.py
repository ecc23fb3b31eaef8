"""How the time that is left is shared out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from perfwright.core import Budget, BudgetMeter, ManualClock, Resource
from perfwright.experiments.ledger import Ledger, RunRecord
from perfwright.optimizer.books import Books
from perfwright.optimizer.options import STEP_LIMIT_S
from perfwright.stats import FalseKeepControl


def books(ledger: Ledger, clock: ManualClock, **caps: float) -> Books:
    return Books(
        record=RunRecord(
            id="r", command="optimize", target="t", started=datetime(2026, 1, 1, tzinfo=UTC)
        ),
        ledger=ledger,
        clock=clock,
        meter=BudgetMeter(Budget({Resource(name): cap for name, cap in caps.items()})),
        control=FalseKeepControl(),
    )


def test_one_of_many_experiments_gets_a_few_parts_of_the_time(ledger: Ledger) -> None:
    kept = books(ledger, ManualClock(), time=100.0)  # 15 s of it for the last step
    assert kept.step_limit_s(waiting=17) == pytest.approx(15.0)


def test_the_last_experiment_gets_all_that_is_left(ledger: Ledger) -> None:
    clock = ManualClock()
    kept = books(ledger, clock, time=100.0)
    clock.now_s = 60.0
    assert kept.step_limit_s() == pytest.approx(25.0)


def test_without_a_time_budget_each_experiment_may_take_the_longest(ledger: Ledger) -> None:
    assert books(ledger, ManualClock()).step_limit_s(waiting=50) == STEP_LIMIT_S


def test_with_too_many_waiting_each_still_gets_a_try(ledger: Ledger) -> None:
    kept = books(ledger, ManualClock(), time=10.0)
    assert kept.step_limit_s(waiting=10_000) == pytest.approx(1.0)
    assert not kept.time_is_up
