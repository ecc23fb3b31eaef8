"""What one more buffer costs a write."""

from __future__ import annotations

import pytest

from perfwright.agents.database.postgresql.probes.trials import (
    PAGE_MS,
    USUAL_PAGE_MS,
    price_of_a_page,
)


def test_the_fixed_part_of_a_write_is_no_price_of_its_buffers() -> None:
    writes = [(pages, 0.1 + 0.002 * pages) for pages in (5.0, 20.0, 80.0, 300.0)]
    assert price_of_a_page(writes) == pytest.approx(0.002)


def test_one_odd_write_does_not_decide() -> None:
    writes = [(pages, 0.1 + 0.002 * pages) for pages in (5.0, 20.0, 80.0, 300.0, 1_200.0)]
    assert price_of_a_page([*writes, (2_700.0, 60.0)]) == pytest.approx(0.002, rel=0.3)


def test_writes_that_touch_about_the_same_tell_nothing() -> None:
    assert price_of_a_page([(20.0, 0.1), (22.0, 0.9)]) == USUAL_PAGE_MS


def test_a_price_stays_within_what_was_ever_seen() -> None:
    assert price_of_a_page([(10.0, 1.0), (100.0, 900.0)]) == PAGE_MS[1]
    assert price_of_a_page([(10.0, 9.0), (100.0, 1.0)]) == PAGE_MS[0]
