import copy
import math
import os
import pickle
import random
import signal
import threading
from collections.abc import Callable
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ConfigError
from perfwright.monitoring.latencies import Latencies

records = st.lists(
    st.tuples(st.floats(0.0, 1e6), st.integers(0, 2**128 - 1), st.floats(-1e9, 1e9)), max_size=60
)


def latencies_of(seconds: list[float], *, window: int = 1000) -> Latencies:
    latencies = Latencies(window)
    for number, value in enumerate(seconds):
        latencies.record(value, number + 1, float(number))
    return latencies


def test_a_reader_sees_each_record_at_once() -> None:
    latencies = latencies_of([0.5])
    assert latencies.count == 1
    assert latencies.percentiles()["p50"] == 0.5


def test_percentiles_of_the_window_are_exact() -> None:
    percentiles = latencies_of([number / 1000 for number in range(1, 101)]).percentiles()
    assert percentiles == pytest.approx(
        {"p50": 0.0505, "p90": 0.0901, "p95": 0.09505, "p99": 0.09901, "p99.9": 0.099901}
    )


def test_the_window_forgets_what_the_lifetime_keeps() -> None:
    stats = latencies_of([5.0] * 4000 + [1.0] * 10, window=10).stats()
    assert (stats["count"], stats["max"], stats["mean"]) == (10, 1.0, 1.0)
    assert (stats["lifetime"]["count"], stats["lifetime"]["max"]) == (4010, 5.0)
    assert stats["lifetime"]["p50"] == pytest.approx(5.0, rel=0.004)


def test_an_operation_without_records_has_no_percentiles() -> None:
    latencies = Latencies()
    stats = latencies.stats()
    assert (stats["count"], stats["lifetime"]["count"], latencies.exemplars()) == (0, 0, {})
    assert all(math.isnan(stats[name]) for name in ("p50", "p99.9", "mean", "min", "max"))
    assert latencies.throughput(5.0) == {"current": 0.0, "avg": 0.0, "max": 0.0}


@given(records, st.integers(1, 20))
def test_the_window_is_the_last_records(rows: list[tuple[float, int, float]], window: int) -> None:
    latencies = Latencies(window)
    for row in rows:
        latencies.record(*row)
    assert latencies.stats()["count"] == min(window, len(rows))
    assert latencies.count == len(rows)
    if rows:
        assert latencies.stats()["max"] == max(row[0] for row in rows[-window:])


@given(records)
def test_recording_one_by_one_is_the_same_as_all_at_once(
    rows: list[tuple[float, int, float]],
) -> None:
    one_by_one, at_once = Latencies(10), Latencies(10)
    for row in rows:
        one_by_one.record(*row)
    at_once.extend(*map(list, zip(*rows, strict=True))) if rows else None
    assert one_by_one.sketch == at_once.sketch
    assert one_by_one.exemplars() == at_once.exemplars()
    assert repr(one_by_one.stats()) == repr(at_once.stats())


@pytest.mark.parametrize("count", [3, 900, 5000])
def test_merging_is_the_same_as_having_seen_all(count: int) -> None:
    rng = random.Random(count)
    parts = [Latencies(), Latencies(), Latencies()]
    whole = Latencies()
    for number in range(count):
        row = rng.paretovariate(1.1) / 100, rng.getrandbits(128), number / 50
        rng.choice(parts).record(*row)
        whole.record(*row)
    for part in parts[1:]:
        parts[0].merge(part)
    now_s = count / 50
    assert parts[0].stats() == whole.stats()
    assert parts[0].exemplars() == whole.exemplars()
    assert parts[0].throughput(now_s) == whole.throughput(now_s)


def test_recording_goes_on_after_a_merge() -> None:
    merged = latencies_of([1.0, 2.0], window=2)
    merged.merge(latencies_of([3.0], window=2))
    merged.record(4.0, 9, 10.0)
    assert merged.stats()["count"] == 2
    assert (merged.count, merged.stats()["max"]) == (4, 4.0)


def test_an_exemplar_is_the_trace_nearest_to_the_percentile() -> None:
    latencies = latencies_of([number / 1000 for number in range(1, 1001)])
    assert latencies.exemplars() == pytest.approx(
        {"p50": 500, "p90": 900, "p95": 950, "p99": 990, "p99.9": 999}, abs=1
    )


def test_an_exemplar_is_found_among_few_traces() -> None:
    latencies = latencies_of([0.1])
    for _ in range(99):
        latencies.record(0.2)
    assert set(latencies.exemplars().values()) == {1}


# --- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf, 1e39, 10**400, "1", None, [1.0]])
def test_what_is_no_duration_is_counted_as_refused(seconds: float) -> None:
    latencies = latencies_of([1.0])
    latencies.record(seconds, 7, 3.0)
    latencies.record(2.0, 8, 4.0)
    assert (latencies.refused, latencies.count, latencies.stats()["count"]) == (1, 2, 2)
    assert latencies.stats()["max"] == 2.0
    assert 7 not in latencies.exemplars().values()
    assert latencies.throughput(4.0)["max"] == 1.0


@pytest.mark.parametrize("end_s", [math.nan, math.inf, -math.inf, "now", None])
def test_a_record_of_no_time_is_refused(end_s: float) -> None:
    latencies = latencies_of([1.0])
    latencies.record(2.0, 7, end_s)
    assert (latencies.refused, latencies.count) == (1, 1)


def test_columns_of_different_lengths_are_refused_as_a_whole() -> None:
    latencies = Latencies()
    with pytest.raises(ValueError, match="size"):
        latencies.extend([1.0, 2.0], [0], [1.0, 2.0])
    assert latencies.count == 0


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="window"):
        Latencies(0)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_copy_is_refused_as_it_would_go_on_recording_here(
    copied: Callable[[Latencies], object],
) -> None:
    with pytest.raises(TypeError, match="merge them"):
        copied(latencies_of([1.0]))


# --- Threads, signals, processes ------------------------------------------------------------------


def test_threads_lose_nothing() -> None:
    latencies = Latencies(100)

    def record() -> None:
        for number in range(10_000):
            latencies.record(0.25, 1, float(number))
            if number % 1000 == 0:
                latencies.stats()

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (latencies.count, latencies.refused) == (40_000, 0)
    assert latencies.sketch.total == 10_000.0
    assert latencies.stats()["count"] == 100


def test_a_signal_handler_can_read_and_record_at_any_moment() -> None:
    latencies = Latencies(50)
    seen: list[int] = []

    def handle(_signum: int, _frame: FrameType | None) -> None:
        latencies.record(1.0)
        seen.append(latencies.stats()["count"])

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        count = 0
        while len(seen) < 200:
            latencies.record(0.5)
            latencies.percentiles()
            count += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert latencies.count == count + len(seen)


def test_a_child_process_goes_on_with_what_was_recorded() -> None:
    latencies = latencies_of([1.0, 2.0])
    child = os.fork()
    if child == 0:
        latencies.record(3.0, 1, 3.0)
        os._exit(0 if latencies.stats()["count"] == 3 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert latencies.count == 2


def test_memory_is_bounded_by_the_window() -> None:
    latencies = Latencies(10)
    for number in range(5000):
        latencies.record(float(number), number, float(number))
    latencies.stats()
    assert len(latencies._log) == 30
