"""Counting does not make a loop quadratic that is not."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator
from types import FrameType

import pytest

from perfwright.profiling import Profiler
from perfwright.profiling.counting import CallCounter
from perfwright.profiling.growing_texts import COPIES_TEXT, LONG_TEXT, GrowingTexts, added_to
from perfwright.profiling.model import Call
from perfwright.profiling.sampling.sampler import Tick

pytestmark = pytest.mark.skipif(not COPIES_TEXT, reason="counting copies texts before 3.12 only")


def _grow(turns: int) -> int:
    text = ""
    for _ in range(turns):
        text += "ab"
    return len(text)


def _nothing() -> None:
    pass


def _call(times: int) -> None:
    for _ in range(times):
        _nothing()


def _cpu_s(turns: int) -> float:
    before_s = time.process_time()
    _grow(turns)
    return time.process_time() - before_s


def _counts(calls: tuple[Call, ...]) -> dict[tuple[str, str], int]:
    return {(c.caller.name if c.caller else "", c.callee.name): c.count for c in calls}


class _Counting:
    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def rest(self, ident: int) -> bool:
        self.told.append(("rest", ident))
        return True

    def go_on(self, ident: int) -> None:
        self.told.append(("go on", ident))


def _lengthen(text: str, look: GrowingTexts) -> None:
    """Be looked at while a text of this length is made longer."""
    text = text + "."
    look(Tick(0.0, {7: _here()}, {}))


def _lengthened(text: str, look: GrowingTexts) -> Generator[None, None, None]:
    text = text + "."
    look(Tick(0.0, {7: _here()}, {}))
    yield


def _here() -> FrameType:
    return sys._getframe(1)  # kept in no name: a frame that holds itself does not go


def test_a_text_that_grows_long_takes_about_as_long_as_ever() -> None:
    plain_s = min(_cpu_s(1_000_000) for _ in range(3))
    with Profiler(enable_memory=False):
        profiled_s = _cpu_s(1_000_000)
    assert profiled_s < 10.0 * plain_s + 0.1  # copying it each time takes 15 s


def test_calls_are_counted_again_once_the_text_is_made() -> None:
    with Profiler(enable_memory=False) as profiler:
        _grow(1_000_000)
        _call(5_000)
    counts = _counts(profiler.profile.calls)
    assert counts["_call", "_nothing"] == 5_000


def test_the_main_thread_is_not_counted_while_it_rests_and_counted_when_it_goes_on() -> None:
    here = threading.get_ident()
    counter = CallCounter()
    counter.start()
    try:
        _call(10)
        assert counter.rest(here)
        assert not counter.rest(here)  # it does already
        _call(5_000)
        counter.go_on(here)
        _call(100)
    finally:
        calls = counter.stop()
    assert 110 <= _counts(calls)["_call", "_nothing"] < 200


def test_other_threads_are_never_told_to_rest() -> None:
    leave = threading.Event()
    counter = CallCounter()
    counter.start()
    try:
        thread = threading.Thread(target=leave.wait)
        thread.start()
        assert thread.ident is not None
        assert not counter.rest(thread.ident)
        leave.set()
        thread.join()
    finally:
        counter.stop()


def test_a_rest_that_was_over_before_it_began_changes_nothing() -> None:
    here = threading.get_ident()
    counter = CallCounter()
    counter.start()
    try:
        counter.rest(here)
        counter.go_on(here)
        _call(10)
    finally:
        calls = counter.stop()
    assert _counts(calls)["_call", "_nothing"] == 10


@pytest.mark.parametrize(("length", "rests"), [(100, False), (LONG_TEXT, True)])
def test_only_a_long_text_is_worth_it(length: int, rests: bool) -> None:
    counting = _Counting()
    _lengthen("a" * length, GrowingTexts(counting))
    assert (("rest", 7) in counting.told) == rests


def test_counting_goes_on_as_soon_as_the_function_ends() -> None:
    counting = _Counting()
    look = GrowingTexts(counting)  # which does not look again
    _lengthen("a" * LONG_TEXT, look)
    assert counting.told == [("rest", 7), ("go on", 7)]


def test_counting_goes_on_once_when_another_function_is_seen() -> None:
    counting = _Counting()
    look = GrowingTexts(counting)
    suspended = _lengthened("a" * LONG_TEXT, look)
    next(suspended)
    assert counting.told == [("rest", 7)]
    look(Tick(0.0, {7: _here()}, {}))
    suspended.close()
    assert counting.told == [("rest", 7), ("go on", 7)]


def test_sums_in_local_names_are_found() -> None:
    def some(a: str, b: list[str], c: int) -> None:
        a += "x"
        d = a + "y"
        b[0] += "z"
        c -= 1
        print(d, c)

    assert added_to(some.__code__) == ("a", "d")
