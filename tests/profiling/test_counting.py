from __future__ import annotations

import cProfile
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core.errors import ProfilerError
from perfwright.profiling.counting import CallCounter, started_calls
from perfwright.profiling.model import Call, Function

BEFORE_312 = sys.version_info < (3, 12)


def leaf(n: int) -> int:
    return len(str(n))


def trunk(n: int) -> int:
    return sum(leaf(i) for i in range(n))


def fall(n: int) -> int:
    return 0 if n == 0 else 1 + fall(n - 1)


def even(n: int) -> bool:
    return n == 0 or odd(n - 1)


def odd(n: int) -> bool:
    return n != 0 and even(n - 1)


def counted(work: Callable[[], object]) -> tuple[Call, ...]:
    counter = CallCounter()
    counter.start()
    try:
        work()
    finally:
        calls = counter.stop()
    return calls


def edges(calls: tuple[Call, ...]) -> dict[tuple[str | None, str], int]:
    return {(c.caller.name if c.caller else None, c.callee.name): c.count for c in calls}


def test_every_call_is_counted_with_its_caller() -> None:
    found = edges(counted(lambda: trunk(50)))
    assert found["trunk.<locals>.<genexpr>", "leaf"] == 50
    assert found["leaf", "builtins.len"] == 50
    assert found["trunk", "builtins.sum"] == 1


def test_functions_carry_file_first_line_and_qualified_name() -> None:
    calls = counted(lambda: trunk(1))
    callee = next(c.callee for c in calls if c.callee.name == "leaf")
    assert Path(callee.file).name == "test_counting.py"
    assert callee.line == leaf.__code__.co_firstlineno


def test_c_functions_have_no_file_and_a_short_name() -> None:
    numbers: list[int] = []
    calls = counted(lambda: numbers.append(1))
    found = {c.callee.name: c.callee for c in calls}
    assert (found["list.append"].file, found["list.append"].line) == ("~", 0)


def test_a_call_that_nobody_made_has_no_caller() -> None:
    calls = counted(lambda: leaf(1))
    assert any(c.caller is None and "<lambda>" in c.callee.name for c in calls)


def test_recursion_is_counted_in_full_but_its_time_once() -> None:
    calls = [c for c in counted(lambda: fall(200)) if c.callee.name == "fall"]
    assert sum(c.count for c in calls) == 201
    outer, inner = sorted(calls, key=lambda c: c.count)
    assert inner.cumulative_s == 0.0
    assert outer.cumulative_s >= outer.self_s + inner.self_s - 1e-6


def test_mutual_recursion_leaves_no_negative_time() -> None:
    calls = counted(lambda: even(100))
    assert edges(calls)["even", "odd"] == 50
    assert all(c.self_s >= 0 and c.cumulative_s >= 0 and c.count > 0 for c in calls)


def test_threads_started_meanwhile_are_counted() -> None:
    def work() -> None:
        threads = [threading.Thread(target=trunk, args=(20,)) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(10)

    calls = counted(work)
    assert sum(c.count for c in calls if c.callee.name == "leaf") == 60


def test_threads_are_left_alone_when_told_so() -> None:
    counter = CallCounter(threads=False)
    counter.start()
    thread = threading.Thread(target=trunk, args=(20,))
    thread.start()
    thread.join(10)
    seen = sum(c.count for c in counter.stop() if c.callee.name == "leaf")
    assert seen == (0 if BEFORE_312 else 20)


def test_the_counter_does_not_count_itself() -> None:
    calls = counted(lambda: None)
    assert not any(
        "disable" in c.callee.name or c.callee.name.startswith("CallCounter") for c in calls
    )


def test_costliest_first() -> None:
    calls = counted(lambda: trunk(200))
    assert [c.self_s for c in calls] == sorted((c.self_s for c in calls), reverse=True)


def test_an_exception_inside_loses_nothing() -> None:
    def broken() -> None:
        leaf(1)
        raise ValueError("on purpose")

    counter = CallCounter()
    counter.start()
    try:
        with pytest.raises(ValueError, match="on purpose"):
            broken()
    finally:
        calls = counter.stop()
    assert edges(calls)["test_an_exception_inside_loses_nothing.<locals>.broken", "leaf"] == 1


def test_another_profiler_is_named_instead_of_pushed_aside() -> None:
    other = cProfile.Profile()
    other.enable()
    try:
        with pytest.raises(ProfilerError, match="another profiler is active; stop the other"):
            CallCounter().start()
    finally:
        other.disable()
    assert threading.getprofile() is None


def test_two_starts_are_refused() -> None:
    counter = CallCounter()
    counter.start()
    try:
        with pytest.raises(ProfilerError, match="runs already"):
            counter.start()
    finally:
        counter.stop()
    assert not counter.running


def test_a_stop_without_start_is_refused() -> None:
    with pytest.raises(ProfilerError, match="does not run"):
        CallCounter().stop()


def test_a_second_run_starts_from_nothing() -> None:
    counter = CallCounter()
    for _ in range(2):
        counter.start()
        leaf(1)
        calls = counter.stop()
        assert sum(c.count for c in calls if c.callee.name == "leaf") == 1


def test_calls_are_counted_so_far_while_counting_goes_on() -> None:
    counter = CallCounter()
    counter.start()
    before = counter.total()
    trunk(500)
    after = counter.total()
    counter.stop()
    assert 1000 <= after - before < 3000


@pytest.mark.skipif(not BEFORE_312, reason="since 3.12 any thread can stop it")
def test_a_stop_in_another_thread_is_refused_and_counting_goes_on() -> None:
    counter, failures = CallCounter(), list[ProfilerError]()
    counter.start()

    def stop() -> None:
        with pytest.raises(ProfilerError, match="stop where it was started") as caught:
            counter.stop()
        failures.append(caught.value)

    thread = threading.Thread(target=stop)
    thread.start()
    thread.join(10)
    leaf(1)
    calls = counter.stop()
    assert (len(failures), sys.getprofile()) == (1, None)
    assert any(call.callee.name == "leaf" for call in calls)


def test_what_was_started_in_a_thread_that_has_ended_stops_in_any() -> None:
    counter = CallCounter()

    def count() -> None:
        counter.start()
        leaf(1)

    thread = threading.Thread(target=count)
    thread.start()
    thread.join(10)
    assert any(call.callee.name == "leaf" for call in counter.stop())
    assert threading.getprofile() is None


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # since 3.12
def test_a_forked_child_is_not_counted() -> None:
    counter = CallCounter()
    counter.start()
    try:
        pid = os.fork()
        if not pid:
            free = (sys.getprofile(), threading.getprofile(), counter.running)
            os._exit(0 if free == (None, None, False) else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert counter.running
    finally:
        counter.stop()


def test_generators_are_marked_as_what_yields() -> None:
    calls = counted(lambda: trunk(5))
    assert {c.callee.name.split(".")[-1] for c in calls if c.yields} == {"<genexpr>"}


PAGE, MAIN = Function("/app/a.py", 1, "page"), Function("/app/a.py", 9, "main")


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=5), st.integers(0, 6000))
def test_resumptions_are_taken_out_of_all_callers_together(counts: list[int], resumed: int) -> None:
    calls = [
        Call(caller=MAIN, callee=PAGE, count=count, self_s=0.0, cumulative_s=0.0)
        for count in counts
    ]
    found = started_calls(calls, {PAGE: resumed})
    assert sum(call.count for call in found) == max(1, sum(counts) - resumed)
    assert all(0 <= now.count <= was.count for now, was in zip(found, calls, strict=True))
