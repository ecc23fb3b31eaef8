from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ManualClock
from perfwright.core.errors import ConfigError, ProfilerError
from perfwright.profiling.memory import MemoryProbe
from perfwright.profiling.memory import probe as probe_module
from perfwright.profiling.memory import snapshot as snapshot_module
from perfwright.profiling.memory.allowance import Allowance
from perfwright.profiling.memory.history import History, kept_ratio
from perfwright.profiling.memory.interest import Interest
from perfwright.profiling.memory.leaks import MIN_GROWTH_BYTES, line, suspects
from perfwright.profiling.memory.lines import Lines, functions_in
from perfwright.profiling.memory.names import name_of
from perfwright.profiling.memory.series import MAX_KEPT, Series
from perfwright.profiling.memory.snapshot import Held, Snapshot, grown, take
from perfwright.profiling.model import Memory

PLACE = (("/app/shop.py", 7),)
KEPT: dict[int, str] = {}
HERE = __name__


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    yield
    KEPT.clear()
    Shop.orders.clear()
    assert not tracemalloc.is_tracing()


class Shop:
    orders: list[str] = []  # noqa: RUF012 - a leak is shared by all

    def __init__(self) -> None:
        self.sessions: dict[int, str] = {}


def keep(number: int) -> None:
    KEPT[number] = "k" * 1000 + str(number)


def watched(work: Callable[[int], object], *, rounds: int = 8, **options: Any) -> Memory:
    """Run `work` in rounds of a second each, with a look after each."""
    clock = ManualClock(100.0)
    probe = MemoryProbe(**{"after_bytes": 0, "clock": clock, "watch": False, **options})
    probe.start()
    try:
        for number in range(rounds):
            for each in range(200):
                work(number * 1000 + each)
            clock.now_s += 1.0
            probe.look()
    finally:
        seen = probe.stop()
    return seen


def snapshots(sizes: list[int]) -> list[Snapshot]:
    return [
        Snapshot(float(at), {PLACE: Held(size, 1)} if size else {}, size)
        for at, size in enumerate(sizes)
    ]


# --- Growth ---------------------------------------------------------------------------------------


def test_what_is_kept_is_listed_by_line_with_the_function_around_it() -> None:
    seen = watched(keep)
    first = seen.growth[0]
    assert first.frame.function.name == "keep"
    assert Path(first.frame.function.file).name == "test_memory.py"
    assert first.frame.function.line == keep.__code__.co_firstlineno
    assert first.frame.line == keep.__code__.co_firstlineno + 1
    assert 1_600_000 < first.size_bytes < 2_200_000
    assert seen.end_bytes >= first.size_bytes


def test_what_is_freed_does_not_count_as_growth() -> None:
    seen = watched(lambda n: "t" * 100_000 + str(n))
    assert sum(each.size_bytes for each in seen.growth) < 200_000


def test_cycles_that_wait_for_the_collector_are_no_growth() -> None:
    def cycle(number: int) -> None:
        ring: list[object] = ["r" * 10_000 + str(number)]
        ring.append(ring)

    gc.disable()
    try:
        seen = watched(cycle, rounds=4)
    finally:
        gc.enable()
    assert sum(each.size_bytes for each in seen.growth) < 200_000
    assert seen.peak_bytes > 4_000_000


def test_callers_are_kept_when_asked_for() -> None:
    def outer(number: int) -> None:
        keep(number)

    first = watched(outer, frames=3).growth[0]
    assert [frame.function.name.split(".")[-1] for frame in first.callers] == ["outer", "watched"]


def test_the_profiler_does_not_list_itself() -> None:
    folder = str(Path(probe_module.__file__).parents[1])
    seen = watched(keep)
    assert not any(each.frame.function.file.startswith(folder) for each in seen.growth)


# --- Peak -----------------------------------------------------------------------------------------


def test_copies_that_are_gone_at_the_end_are_seen_at_the_peak() -> None:
    clock = ManualClock()
    probe = MemoryProbe(after_bytes=0, clock=clock, watch=False)
    probe.start()
    numbers = list(range(300_000))
    copies = [list(numbers) for _ in range(4)]
    clock.now_s += 0.01
    probe.look()
    line_of_copies = sys._getframe().f_lineno - 3
    del copies
    seen = probe.stop()
    (held,) = [each for each in seen.at_peak if each.frame.line == line_of_copies]
    assert held.count >= 4
    assert 9_000_000 < held.size_bytes < 10_500_000
    assert seen.peak_bytes >= seen.at_peak_bytes > seen.end_bytes + 9_000_000


def test_a_peak_between_two_looks_is_at_least_known_by_its_height() -> None:
    probe = MemoryProbe(after_bytes=0, watch=False)
    probe.start()
    bytearray(50_000_000)
    seen = probe.stop()
    assert seen.peak_bytes >= 50_000_000 > seen.end_bytes
    assert any("is not known, as it was too short" in note for note in seen.notes)


def test_its_own_thread_finds_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    found = threading.Event()

    def notice(now_s: float) -> Snapshot:
        is_there = tracemalloc.get_traced_memory()[0] >= 30_000_000
        snapshot = take(now_s)
        if is_there:
            found.set()
        return snapshot

    monkeypatch.setattr(probe_module, "take", notice)
    probe = MemoryProbe(after_bytes=0)
    probe.start()
    block = bytearray(30_000_000)
    assert found.wait(30.0)
    del block
    seen = probe.stop()
    assert seen.at_peak_bytes >= 30_000_000 > seen.end_bytes


# --- Leaks ----------------------------------------------------------------------------------------


def test_a_dict_that_only_grows_is_named_with_its_owner() -> None:
    (leak, *_) = watched(keep).leaks
    assert leak.frame.function.name == "keep"
    assert leak.owner == f"{HERE}:KEPT (dict)"
    assert leak.confidence > 0.8
    assert leak.growth_bytes > 1_500_000
    assert leak.slope_bytes_per_s == pytest.approx(leak.growth_bytes / 8, rel=0.2)


def test_memory_that_is_freed_again_is_no_leak() -> None:
    recent: deque[str] = deque(maxlen=100)
    seen = watched(lambda n: recent.append("r" * 1000 + str(n)))
    assert seen.leaks == ()


def test_a_cache_that_fills_at_the_beginning_is_no_leak() -> None:
    seen = watched(lambda n: keep(n % 1000), rounds=12)
    assert seen.leaks == ()


def test_two_looks_are_too_few_to_call_growth_a_leak() -> None:
    clock = ManualClock()
    probe = MemoryProbe(after_bytes=0, clock=clock, watch=False)
    probe.start()
    for number in range(2000):
        keep(number)
    clock.now_s += 0.01
    assert probe.stop().leaks == ()


@given(
    st.integers(MIN_GROWTH_BYTES, 1 << 40),
    st.lists(st.floats(0.8, 1.2), min_size=4, max_size=20),
)
def test_steady_growth_is_always_suspected(total: int, steps: list[float]) -> None:
    sizes = [0]
    for step in steps:
        sizes.append(sizes[-1] + int(total * step / len(steps)) + MIN_GROWTH_BYTES)
    (found,) = suspects(snapshots(sizes))
    assert found.place == PLACE
    assert found.growth_bytes == sizes[-1]
    assert 0.5 < found.confidence <= 1.0


@given(st.integers(0, 1 << 40), st.integers(3, 20))
def test_constant_memory_is_never_suspected(size: int, count: int) -> None:
    assert suspects(snapshots([size] * count)) == []


@given(st.lists(st.integers(0, 1 << 40), max_size=20))
def test_judging_survives_anything_and_stays_in_range(sizes: list[int]) -> None:
    for found in suspects(snapshots(sizes)):
        assert found.slope_bytes_per_s > 0
        assert 0 < found.confidence <= 1
        assert found.growth_bytes >= MIN_GROWTH_BYTES


@pytest.mark.parametrize(
    "sizes",
    [
        [0, 9_000_000, 9_000_000, 9_000_000, 9_000_000, 9_000_000],
        [0, 9_000_000, 0, 9_000_000, 0, 9_000_000],
        [9_000_000, 7_000_000, 5_000_000, 3_000_000],
        [0, 10, 20, 30, 40, 50],
    ],
    ids=["filled once", "sawtooth", "shrinking", "tiny"],
)
def test_other_shapes_are_not_suspected(sizes: list[int]) -> None:
    assert suspects(snapshots(sizes)) == []


def test_the_line_through_points_on_a_line_is_exact() -> None:
    slope, explained = line([0, 1, 2, 3], [5, 7, 9, 11])
    assert slope == pytest.approx(2)
    assert explained == pytest.approx(1)


# --- Owners ---------------------------------------------------------------------------------------


def test_an_attribute_of_an_object_in_a_module_is_an_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("shop_of_test")
    shop = module.__dict__["shop"] = Shop()
    monkeypatch.setitem(sys.modules, "shop_of_test", module)
    assert name_of(shop.sessions) == "shop_of_test:shop.sessions (dict)"


def test_an_attribute_of_a_class_is_an_owner() -> None:
    assert name_of(Shop.orders) == f"{HERE}:Shop.orders (list)"


def test_an_unbounded_lru_cache_is_an_owner() -> None:
    @lru_cache(None)
    def spell(number: int) -> str:
        return "s" * 1000 + str(number)

    (leak, *_) = watched(spell).leaks
    assert leak.frame.function.name.endswith("spell")
    assert "spell (" in leak.owner


def test_a_closure_is_an_owner() -> None:
    def make() -> Callable[[int], None]:
        kept: list[bytes] = []

        def add(number: int) -> None:
            kept.append(bytes(1000 + number % 7))

        return add

    (leak, *_) = watched(make()).leaks
    assert leak.owner.endswith("make.<locals>.add, closing over kept (list)")


def test_a_result_being_built_is_suspected_less() -> None:
    clock = ManualClock()
    probe = MemoryProbe(after_bytes=0, clock=clock, watch=False)

    def build() -> Memory:
        rows: list[str] = []
        for number in range(8):
            rows += ["b" * 1000 + str(each) for each in range(200)]
            clock.now_s += 1.0
            probe.look()
            assert len(rows) == 200 * (number + 1)
        return probe.stop()

    probe.start()
    (leak, *_) = build().leaks
    assert ", local rows" in leak.owner
    assert leak.confidence <= 0.5


def test_an_object_that_raises_when_looked_at_does_not_end_the_search() -> None:
    class Proxy:
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(name)

    proxies = [Proxy() for _ in range(100)]
    (leak, *_) = watched(keep).leaks
    assert (len(proxies), leak.owner) == (100, f"{HERE}:KEPT (dict)")


# --- Snapshots ------------------------------------------------------------------------------------


def test_many_blocks_are_estimated_from_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_module, "MAX_COUNTED", 2000)
    tracemalloc.start()
    try:
        rows = ["x" * (100 + n % 50) + str(n) for n in range(20_000)]
        seen = take(0.0)
    finally:
        tracemalloc.stop()
    of_rows = max(seen.places.values(), key=lambda held: held.size_bytes)
    assert of_rows.count == pytest.approx(len(rows), rel=0.1)
    assert of_rows.size_bytes == pytest.approx(sum(map(sys.getsizeof, rows)), rel=0.2)


def test_a_large_block_among_many_small_ones_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_module, "MAX_COUNTED", 2000)
    tracemalloc.start()
    try:
        rows: list[object] = [str(n) for n in range(20_000)]
        rows.append(bytearray(5_000_000))
        seen = take(0.0)
    finally:
        tracemalloc.stop()
    assert 5_000_000 in [held.size_bytes // 1000 * 1000 for held in seen.places.values()]


def test_growth_is_what_a_place_holds_more() -> None:
    before = Snapshot(0.0, {PLACE: Held(100, 2)}, 100)
    after = Snapshot(1.0, {PLACE: Held(300, 1), (("b", 1),): Held(5, 1)}, 305)
    assert grown(after, since=before) == {PLACE: Held(200, 0), (("b", 1),): Held(5, 1)}
    assert grown(before, since=after) == {}


def series_over(seconds: int, *, cost_s: float) -> tuple[Series, int]:
    series = Series(Snapshot(0.0, {}, 0), max_cost_ratio=0.2)
    taken = 0
    for tick in range(1, seconds * 100):
        if series.is_due(0, now_s=tick / 100):
            series.add(Snapshot(tick / 100, {}, 0), cost_s=cost_s)
            taken += 1
    return series, taken


def test_snapshots_stay_few_and_spread_over_the_run() -> None:
    series, _ = series_over(100, cost_s=0.0001)
    times = [each.at_s for each in series.kept]
    assert 4 <= len(times) <= MAX_KEPT
    assert times[0] == 0.0
    assert times[-1] > 50
    assert sorted(times) == times


def test_dear_snapshots_are_rare_but_enough_to_see_growth() -> None:
    series, taken = series_over(100, cost_s=1.0)
    assert len(series.kept) >= 5
    assert taken <= 15


def test_peaks_stop_being_looked_at_when_they_took_their_share() -> None:
    series = Series(Snapshot(0.0, {}, 0), max_cost_ratio=0.2)
    taken = 0
    for tick in range(1, 100):
        held_bytes = int(1e7 * 1.2**tick)
        if series.is_due(held_bytes, now_s=tick / 10_000):
            series.add(Snapshot(tick / 10_000, {}, held_bytes), cost_s=0.1)
            taken += 1
    assert taken <= 4
    assert series.skipped > 50


# --- Running --------------------------------------------------------------------------------------


def test_a_process_that_does_not_grow_is_not_traced() -> None:
    probe = MemoryProbe(after_bytes=1 << 40, watch=False)
    probe.start()
    probe.look()
    traced = tracemalloc.is_tracing()
    seen = probe.stop()
    assert not traced
    assert (seen.traced_s, seen.growth, seen.peak_bytes) == (0.0, (), 0)
    assert seen.process_peak_bytes >= seen.process_start_bytes > 1_000_000
    assert any("not traced" in note for note in seen.notes)


def test_tracing_that_runs_already_is_used_and_left_running() -> None:
    tracemalloc.start()
    before = ["b" * 1000 + str(n) for n in range(100)]
    try:
        seen = watched(keep)
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
    assert seen.start_bytes > 100_000
    assert seen.growth[0].frame.function.name == "keep"
    assert len(before) == 100


def test_tracing_that_something_else_stops_leaves_what_was_seen_until_then() -> None:
    clock = ManualClock()
    probe = MemoryProbe(after_bytes=0, clock=clock, watch=False)
    probe.start()
    for number in range(1000):
        keep(number)
    clock.now_s += 1.0
    probe.look()
    tracemalloc.stop()
    clock.now_s += 1.0
    probe.look()
    seen = probe.stop()
    assert seen.growth[0].frame.function.name == "keep"
    assert any("stopped by something else" in note for note in seen.notes)


def test_two_starts_are_refused() -> None:
    probe = MemoryProbe(after_bytes=0, watch=False)
    probe.start()
    try:
        with pytest.raises(ProfilerError, match="runs already"):
            probe.start()
    finally:
        probe.stop()
    assert not probe.running


def test_a_stop_without_start_is_refused() -> None:
    with pytest.raises(ProfilerError, match="does not run"):
        MemoryProbe().stop()


def test_a_look_after_the_end_does_nothing() -> None:
    probe = MemoryProbe(after_bytes=0, watch=False)
    probe.start()
    probe.stop()
    probe.look()
    assert not tracemalloc.is_tracing()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("frames", 0),
        ("frames", 33),
        ("after_bytes", -1),
        ("interval_s", 0.0),
        ("interval_s", float("nan")),
        ("max_cost_ratio", -1.0),
    ],
)
def test_values_that_make_no_sense_are_refused(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=field):
        MemoryProbe(**{field: value})  # type: ignore[arg-type]


def test_threads_are_seen() -> None:
    def work(number: int) -> None:
        if number % 1000 == 0:
            numbers = range(number, number + 200)
            thread = threading.Thread(target=deque, args=(map(keep, numbers), 0))
            thread.start()
            thread.join(10)

    assert watched(work, rounds=4).growth[0].frame.function.name == "keep"


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # since 3.12
def test_a_fork_is_not_traced() -> None:
    probe = MemoryProbe(after_bytes=0, watch=False)
    probe.start()
    try:
        pid = os.fork()
        if not pid:
            os._exit(0 if not tracemalloc.is_tracing() and not probe.running else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert tracemalloc.is_tracing()
    finally:
        probe.stop()


# --- Pauses ---------------------------------------------------------------------------------------


IN_CHILD = """
import tracemalloc
from perfwright.core import ManualClock
from perfwright.profiling.memory import MemoryProbe

clock = ManualClock()
probe = MemoryProbe(after_bytes=4 << 20, clock=clock, watch=False)
probe.start()
KEPT, MORE = {}, []
def look(times=1):
    for _ in range(times):
        clock.now_s += 0.1
        probe.look()
def keep(number):
    KEPT[number] = "k" * 1000 + str(number)
def leak(first):
    for number in range(first, first + 1000):
        keep(number)
        if number % 100 == 0:
            look()
"""


def in_child(script: str) -> str:
    """Run in a process that has not been large before: else it may grow within what it has."""
    done = subprocess.run(
        [sys.executable, "-c", IN_CHILD + script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_tracing_begins_when_the_process_has_grown() -> None:
    said = in_child("""
MORE.append(bytearray(b"x") * 30_000_000)
look()
print(tracemalloc.is_tracing())
for number in range(1000): keep(number)
seen = probe.stop()
print(tracemalloc.is_tracing(), seen.growth[0].size_bytes > 1.0e6, seen.notes)
""")
    first, second = said.splitlines()
    assert first == "True"
    assert second.startswith("False True ('allocations before the process began to grow")


def test_tracing_pauses_when_nothing_grows_and_goes_on_when_the_process_does() -> None:
    said = in_child("""
MORE.append(bytearray(b"x") * 30_000_000)
look()
MORE.append(bytearray(b"y") * 20_000_000)
look(30)
print(tracemalloc.is_tracing())
MORE.append(bytearray(b"z") * 30_000_000)
look()
print(tracemalloc.is_tracing())
MORE.append(bytearray(b"u") * 10_000_000)
seen = probe.stop()
print(tracemalloc.is_tracing(), 26e6 < seen.end_bytes <= seen.peak_bytes < 32e6)
print([leak for leak in seen.leaks if leak.confidence > 0.1])
print(seen.notes)
""")
    *states, notes = said.splitlines()
    assert states == ["False", "True", "False True", "[]"]
    assert "tracing was paused" in notes


def test_what_is_freed_in_a_pause_is_not_held_at_the_end() -> None:
    said = in_child("""
MORE.append(bytearray(b"x") * 30_000_000)
look()
MORE.append([str(number) for number in range(200_000)])
look(30)
print(tracemalloc.is_tracing())
MORE.clear()
seen = probe.stop()
print(seen.peak_bytes > 10e6, seen.end_bytes < 3e6)
""")
    assert said.splitlines() == ["False", "True True"]


def test_tracing_from_the_start_is_never_paused() -> None:
    clock = ManualClock()
    probe = MemoryProbe(after_bytes=0, clock=clock, watch=False)
    probe.start()
    for _ in range(100):
        clock.now_s += 0.1
        probe.look()
    assert tracemalloc.is_tracing()
    assert probe.stop().traced_s == pytest.approx(10.0)


def quiet(sizes: list[int], *, patience: int = 1) -> float:
    """Return when it is over with a look each 10 ms and the sizes in turn, or infinity."""
    interest = Interest(patience=patience)
    for tick, size in enumerate(sizes):
        now_s = tick / 100
        due = interest.due(max(sizes[: tick + 1]), now_s=now_s)
        if due == "mark":
            interest.mark(size, now_s=now_s)
        elif due == "end" and interest.is_over(size):
            return now_s
        elif due == "end":
            interest.renew(now_s)
    return float("inf")


def test_interest_ends_a_while_after_the_last_new_peak() -> None:
    load = [tick * 1_000_000 for tick in range(100)]
    assert 1.2 <= quiet(load + [load[-1]] * 100) <= 1.5
    assert 1.4 <= quiet(load + [load[-1]] * 200, patience=2) <= 1.9


@given(st.integers(40_000, 1 << 30), st.integers(0, 1 << 30))
def test_interest_never_ends_while_something_grows(step: int, held: int) -> None:
    assert quiet([held + tick * step // 10 for tick in range(300)]) == float("inf")


def test_stretches_add_up() -> None:
    history = History()
    for at in (0.0, 10.0):
        series = Series(Snapshot(at, {}, 0), max_cost_ratio=0.2)
        series.end(Snapshot(at + 1.0, {PLACE: Held(400_000, 4000)}, 400_000))
        history.add(series, peak_bytes=500_000)
    assert history.held.places[PLACE] == Held(800_000, 8000)
    assert (history.peak_bytes, history.traced_s) == (900_000, 2.0)
    assert [each.place for each in history.suspects_at_pause()] == [PLACE]
    history.pass_to(20.0, kept_ratio=kept_ratio(history.held, freed_bytes=0, freed_blocks=6000))
    assert history.held.places[PLACE] == Held(200_000, 2000)
    assert history.peak.total_bytes == 800_000


def stretch(history: History, at_s: float, size_bytes: int) -> None:
    series = Series(Snapshot(at_s, {}, 0), max_cost_ratio=0.2)
    series.end(Snapshot(at_s + 1.0, {PLACE: Held(size_bytes, 10)}, size_bytes))
    history.add(series, peak_bytes=size_bytes)


@pytest.mark.parametrize(
    ("grew_bytes", "held_bytes"),
    [(0, 100_000), (-5, 100_000), (400_000, 500_000), (1 << 30, 1_100_000)],
)
def test_what_grew_while_traced_is_taken_to_grow_on_within_what_the_process_did(
    grew_bytes: int, held_bytes: int
) -> None:
    history = History()
    stretch(history, 0.0, 100_000)
    history.pass_to(3.0, kept_ratio=1.0, grew_bytes=grew_bytes, speed=5.0)
    assert history.held.places[PLACE].size_bytes == held_bytes
    assert history.held.total_bytes == held_bytes


@pytest.mark.parametrize(("blocks", "held_bytes"), [(20, 1000), (10, 1000), (5, 500), (-9, 0)])
def test_small_blocks_held_are_no_more_than_the_interpreter_counts(
    blocks: int, held_bytes: int
) -> None:
    history = History()
    stretch(history, 0.0, 1000)
    history.bound(blocks=blocks)
    assert history.held.places[PLACE].size_bytes == held_bytes
    assert history.held.total_bytes == history.kept[-1].total_bytes == held_bytes
    assert [each.at_s for each in history.kept] == [0.0, 1.0]


def test_large_blocks_are_not_bounded_by_a_count() -> None:
    history = History()
    stretch(history, 0.0, 1_000_000)
    history.bound(blocks=0)
    assert history.held.total_bytes == 1_000_000


# --- Allowance ------------------------------------------------------------------------------------


def traced_ratio(*, slowdown: float | None, seconds: float = 60.0) -> float:
    """Return for which part of the time is traced; a slowdown of None is not measured."""
    allowance, traced_s, is_traced, since_s = Allowance(), 0.0, True, 0.0
    for tick in range(1, int(seconds * 100) + 1):
        allowance.pass_time(0.01, traced=is_traced)
        traced_s += 0.01 * is_traced
        if allowance.is_spent if is_traced else allowance.is_enough:
            if slowdown is not None:
                passed_s = tick / 100 - since_s
                done = passed_s * 1e5 / (slowdown if is_traced else 1.0)
                allowance.measured(passed_s, done=done, traced=is_traced)
            is_traced, since_s = not is_traced, tick / 100
    return traced_s / seconds


@given(st.one_of(st.none(), st.floats(1.0, 100.0)))
def test_tracing_makes_no_run_more_than_half_as_long_again(slowdown: float | None) -> None:
    traced = traced_ratio(slowdown=slowdown)
    progress = 1.0 - traced + traced / (slowdown or 10.0)
    assert 1.0 / progress <= 1.6
    assert traced >= 0.3


def test_what_tracing_does_not_slow_is_traced_nearly_all_the_time() -> None:
    assert traced_ratio(slowdown=1.0) > 0.8
    assert traced_ratio(slowdown=20.0) < 0.4


def test_after_a_rest_tracing_waits_until_it_is_worth_a_snapshot() -> None:
    allowance = Allowance()
    allowance.exhaust()
    assert (allowance.is_spent, allowance.is_enough) == (True, False)
    allowance.pass_time(1.0, traced=False)
    assert allowance.is_enough


@given(st.lists(st.tuples(st.floats(-1.0, 1e6), st.floats(0.0, 1e9), st.booleans())))
def test_whatever_is_measured_the_slowdown_stays_in_range(
    parts: list[tuple[float, float, bool]],
) -> None:
    allowance = Allowance()
    for seconds, done, traced in parts:
        allowance.measured(seconds, done=done, traced=traced)
    assert 1.0 <= allowance.slowdown <= 100.0
    assert 0.0 < allowance.share <= 0.9


def test_a_program_that_tracing_slows_is_traced_in_parts_and_its_leak_is_found() -> None:
    said = in_child("""
MORE.append(bytearray(b"x") * 30_000_000)
look()
states = []
for part in range(60):
    leak(part * 1000)
    states.append(tracemalloc.is_tracing())
turns = sum(a != b for a, b in zip(states, states[1:]))
seen = probe.stop()
print(turns > 10, seen.traced_s < 0.5 * 60, tracemalloc.is_tracing())
print(seen.leaks[0].owner, seen.leaks[0].growth_bytes > 30e6, len(seen.notes))
""")
    assert said.splitlines() == ["True True False", "__main__:KEPT (dict) True 2"]


# --- Lines ----------------------------------------------------------------------------------------


SOURCE = """import os

@cache
def outer(
    n
):
    def inner():
        return [
            x for x in y
        ]
    return inner

class Cart:
    class Line:
        async def total(self): return 1
"""


@pytest.mark.parametrize(
    ("at", "name"),
    [
        (1, "<module>"),
        (3, "outer"),
        (9, "outer.<locals>.inner"),
        (11, "outer"),
        (13, "<module>"),
        (15, "Cart.Line.total"),
        (99, "<module>"),
    ],
)
def test_the_innermost_function_around_a_line_is_named(tmp_path: Path, at: int, name: str) -> None:
    path = tmp_path / "shop.py"
    path.write_text(SOURCE)
    assert Lines().frame(str(path), at).function.name == name


def test_a_file_without_source_leaves_the_name_empty() -> None:
    frame = Lines().frame("<string>", 5)
    assert (frame.function.name, frame.function.line, frame.line) == ("", 0, 5)


@pytest.mark.parametrize("source", ["def (", "\0", "(" * 5000])
def test_what_is_not_python_has_no_functions(source: str) -> None:
    assert functions_in(source) == []
