"""The whole profiler, on programs whose faults are known."""

from __future__ import annotations

import asyncio
import cProfile
import json
import os
import re
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perfwright.core import ConfigError, ProfilerError
from perfwright.profiling import BottleneckKind, Profiler
from perfwright.profiling.reconstruction import LONG_S


def unique(rows: list[int]) -> list[int]:
    seen: list[int] = []
    for row in rows:
        if row not in seen:
            seen.append(row)
    return seen


def squares(count: int) -> int:
    return sum(map(abs, range(count)))


def program() -> None:
    squares(1_000)
    unique(list(range(4_000)))


@pytest.fixture(scope="module")
def profiled() -> Profiler:
    with Profiler() as profiler:
        program()
    return profiler


@pytest.mark.parametrize("mode", ["deterministic", "sampling"])
def test_the_culprit_comes_first(mode: Any) -> None:
    with Profiler(mode=mode, rate_hz=500, max_cost_ratio=0.2) as profiler:
        for _ in range(3):
            program()
    first = profiler.bottlenecks()[0]
    assert first.function.name == "unique"
    assert first.kind in (BottleneckKind.LINEAR_SCAN, BottleneckKind.QUADRATIC)


def test_the_report_has_the_documented_form(profiled: Profiler) -> None:
    form = (
        r"1\. \S+test_profiler\.py:\d+:unique\n"
        r"   Bottleneck Score: \d+\.\d\d/100\n"
        r"   Cumulative Time: \d+\.\d{4}s\n"
        r"   Calls: 1\n"
        r"   Memory: \d+\.\d\d MB\n"
    )
    assert re.search(form, profiled.get_report(top_n=10))


def test_a_report_shows_no_more_than_asked(profiled: Profiler) -> None:
    assert "\n2. " not in profiled.get_report(top_n=1)


def test_the_analysis_is_data_for_json(profiled: Profiler) -> None:
    analysis = profiled.analyze()
    assert json.loads(json.dumps(analysis)) == analysis
    assert analysis["bottlenecks"][0]["function"] == "unique"


def test_scores_are_shares_of_the_run(profiled: Profiler) -> None:
    assert all(0.0 <= each.score <= 100.0 for each in profiled.bottlenecks())


def test_a_loop_that_runs_already_is_seen() -> None:
    async def main() -> dict[str, Any]:
        profiler = Profiler(enable_memory=False).start()
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(handler())
        profiler.stop()
        return profiler.analyze()

    async def handler() -> None:
        time.sleep(0.05)  # noqa: ASYNC251 - the planted fault

    first = asyncio.run(main())["bottlenecks"][0]
    assert (first["function"].split(".")[-1], first["kind"]) == ("handler", "blocking-in-async")


def test_starting_twice_is_refused() -> None:
    with Profiler(enable_memory=False) as profiler, pytest.raises(ProfilerError, match="running"):
        profiler.start()


def test_stopping_what_does_not_run_is_refused() -> None:
    with pytest.raises(ProfilerError, match="not running"):
        Profiler().stop()


def test_there_is_nothing_to_analyze_before_the_end() -> None:
    with pytest.raises(ProfilerError, match="no profile yet"):
        Profiler().analyze()


def test_a_second_profiler_is_refused_while_a_foreign_one_counts() -> None:
    foreign = cProfile.Profile()
    foreign.enable()
    try:
        with pytest.raises(ProfilerError, match="another profiler"):
            Profiler().start()
    finally:
        foreign.disable()
    assert not any("Sampler" in thread.name for thread in threading.enumerate())


def test_it_starts_again_after_its_end(profiled: Profiler) -> None:
    again = Profiler(enable_memory=False)
    for _ in range(2):
        with again:
            squares(1_000)
    assert again.profile.wall_s < 5.0


def test_an_idle_run_has_no_bottleneck_worth_the_name() -> None:
    with Profiler(enable_memory=False) as profiler:
        pass
    assert "Bottleneck Score: 9" not in profiler.get_report()


@pytest.mark.parametrize(
    "settings",
    [
        {"enable_cpu": False, "enable_memory": False, "enable_async": False},
        {"mode": "turbo"},
        {"rate_hz": 0},
        {"rate_hz": float("nan")},
        {"rate_hz": "100"},
        {"rate_hz": 1e9},
        {"max_cost_ratio": 2.0},
        {"max_cost_ratio": "x"},
        {"enable_cpu": "no"},
        {"own": None},
        {"own": [5]},
    ],
)
def test_bad_settings_are_refused_where_they_are_given(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Profiler(**settings)


def test_a_report_of_nothing_is_refused(profiled: Profiler) -> None:
    for top_n in (0, "3", 2.5, True):
        with pytest.raises(ConfigError, match="top_n"):
            profiled.get_report(top_n=top_n)  # type: ignore[arg-type]


def test_a_wait_is_counted_once_though_nothing_was_seen_running() -> None:
    def wait() -> None:
        time.sleep(0.15)

    with Profiler(enable_memory=False) as profiler:
        wait()
    for each in profiler.bottlenecks():
        assert each.cumulative_s <= profiler.profile.wall_s * 1.05


def test_own_code_may_be_named_by_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    own = Profiler(own=[tmp_path / "link"]).own
    files = [str(tmp_path / name / "a.py") for name in ("link", "real", "other")]
    assert [own.owns_file(file) for file in files] == [True, True, False]


@pytest.mark.parametrize("work", [float("nan"), -1.0, "5", True])
def test_work_that_is_no_number_is_refused_and_the_run_goes_on(work: Any) -> None:
    with Profiler(enable_memory=False) as profiler:
        with pytest.raises(ConfigError, match="work"):
            profiler.stop(work=work)
        assert profiler.is_running


def test_a_file_that_is_no_text_is_no_profile(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProfilerError, match="holds no profile"):
        Profiler.load(tmp_path / "a.json")


def test_a_second_profiler_that_counts_is_refused_by_its_name() -> None:
    with (
        Profiler(enable_memory=False),
        pytest.raises(ProfilerError, match="another Profiler is running"),
    ):
        Profiler(enable_memory=False).start()


def test_one_that_samples_runs_beside_one_that_counts() -> None:
    with Profiler(enable_memory=False), Profiler(mode="sampling") as sampling:
        squares(1_000)
    assert sampling.profile.wall_s > 0.0


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="since 3.12 any thread can stop it")
def test_a_stop_in_another_thread_is_refused_and_the_run_goes_on() -> None:
    profiler, caught = Profiler(enable_memory=False).start(), list[str]()

    def stop() -> None:
        with pytest.raises(ProfilerError) as refusal:
            profiler.stop()
        caught.append(str(refusal.value))

    thread = threading.Thread(target=stop)
    thread.start()
    thread.join(10)
    assert profiler.is_running
    profiler.stop()
    assert ("stop where it was started" in caught[0], sys.getprofile()) == (True, None)


@pytest.mark.filterwarnings("default::ResourceWarning")
@pytest.mark.parametrize("mode", ["deterministic", "sampling"])
def test_a_profiler_that_is_dropped_leaves_nothing_behind(
    mode: Any, recwarn: pytest.WarningsRecorder
) -> None:
    before = sys.getswitchinterval()
    Profiler(mode=mode).start()
    assert "dropped while it ran" in str(recwarn.pop(ResourceWarning).message)
    names = {thread.name for thread in threading.enumerate()}
    assert not any(name.startswith("perfwright-") for name in names)
    assert (sys.getprofile(), threading.getprofile()) == (None, None)
    assert (tracemalloc.is_tracing(), sys.getswitchinterval()) == (False, before)
    with Profiler(mode=mode) as again:
        squares(1_000)
    assert again.profile.wall_s > 0.0


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # since 3.12
@pytest.mark.parametrize("mode", ["deterministic", "sampling"])
def test_a_forked_child_is_not_profiled_and_may_profile_itself(mode: Any) -> None:
    with Profiler(mode=mode) as profiler:
        pid = os.fork()
        if not pid:
            free = not profiler.is_running and sys.getprofile() is None
            with Profiler(mode=mode) as own:
                squares(1_000)
            profiler.start().stop()
            os._exit(0 if free and own.profile.wall_s > 0.0 else 1)
        ended = os.waitpid(pid, 0)[1]
    assert (ended, profiler.profile.wall_s > 0.0) == (0, True)


def test_calls_of_a_coroutine_are_calls_and_its_awaits_are_its_time() -> None:
    async def page() -> None:
        for _ in range(3):
            await asyncio.sleep(0.01)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(page())

    with Profiler(enable_memory=False) as profiler:
        asyncio.run(main())
    name = f"{page.__qualname__}"
    counted = [call for call in profiler.profile.calls if call.callee.name == name]
    assert sum(call.count for call in counted) == 8
    assert profiler.profile.asyncio is not None
    resumed = {each.function.name: each.count for each in profiler.profile.asyncio.resumed}
    assert resumed[name] == 24


def test_a_generator_has_no_count_of_calls_as_nobody_knows_it() -> None:
    def numbers() -> Iterator[int]:
        for number in range(200_000):
            yield number * number % 7

    with Profiler(enable_memory=False) as profiler:
        list(numbers())
    found = [each for each in profiler.bottlenecks() if each.function.name == numbers.__qualname__]
    assert [each.calls for each in found] in ([None], [])
    yielded = [call for call in profiler.profile.calls if call.yields]
    assert [call.callee.name for call in yielded] == [numbers.__qualname__]


def test_a_short_run_has_no_invented_samples() -> None:
    with Profiler(enable_memory=False) as profiler:
        squares(20)
    profile = profiler.profile
    looks = sum(stack.samples for stack in profile.stacks)
    text = profiler.get_report()
    assert looks < 10
    assert ("Too short to be sampled" in text) == (looks == 0)


def test_a_long_run_of_few_calls_keeps_the_lines_that_were_sampled() -> None:
    """C code that holds the interpreter's lock lets nobody look meanwhile."""
    sortable = [str(number * 7919 % 1_000_003) for number in range(700_000)]
    begun_s = time.thread_time()
    with Profiler(enable_memory=False) as profiler:
        while time.thread_time() - begun_s < 2 * LONG_S:
            lines_of_c(sortable)
    lines = {frame.line for stack in profiler.profile.stacks for frame in stack.frames}
    first = lines_of_c.__code__.co_firstlineno
    assert lines & {first + 1, first + 2}


def lines_of_c(values: list[str]) -> list[str]:
    ordered = sorted(values)
    return sorted(ordered, key=str.__len__)
