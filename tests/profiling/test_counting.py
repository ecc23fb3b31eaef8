from __future__ import annotations

import cProfile
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from perfwright.core.errors import ProfilerError
from perfwright.profiling.counting import CallCounter
from perfwright.profiling.model import Call

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
