import sys
from collections.abc import Iterator

import pytest

from perfwright.profiling.sampling.switching import SwitchInterval, setting


@pytest.fixture(autouse=True)
def interval() -> Iterator[float]:
    before_s = sys.getswitchinterval()
    yield before_s
    sys.setswitchinterval(before_s)
    setting.reset()


def test_the_interval_is_short_while_one_thread_is_busy(interval: float) -> None:
    switch = SwitchInterval()
    switch.shorten(busy_threads=1, late=0.0, look_s=0.0)
    assert sys.getswitchinterval() < interval / 10


def test_it_is_left_alone_while_threads_compete(interval: float) -> None:
    switch = SwitchInterval()
    switch.shorten(busy_threads=2, late=0.0, look_s=0.0)
    assert sys.getswitchinterval() == interval


def test_it_is_set_back(interval: float) -> None:
    switch = SwitchInterval()
    switch.shorten(busy_threads=1, late=0.0, look_s=0.0)
    switch.restore()
    assert sys.getswitchinterval() == interval


def test_what_the_program_sets_meanwhile_is_kept() -> None:
    switch = SwitchInterval()
    switch.shorten(busy_threads=1, late=0.0, look_s=0.0)
    sys.setswitchinterval(0.02)
    switch.restore()
    assert sys.getswitchinterval() == pytest.approx(0.02)


def test_a_shorter_one_of_the_program_is_not_made_longer() -> None:
    sys.setswitchinterval(0.0001)
    switch = SwitchInterval()
    switch.shorten(busy_threads=1, late=0.0, look_s=0.0)
    assert sys.getswitchinterval() == pytest.approx(0.0001)


def test_the_last_of_several_sets_it_back(interval: float) -> None:
    one, other = SwitchInterval(), SwitchInterval()
    for switch in (one, other):
        switch.shorten(busy_threads=1, late=0.0, look_s=0.0)
    one.restore()
    assert sys.getswitchinterval() < interval / 10
    other.restore()
    assert sys.getswitchinterval() == interval
