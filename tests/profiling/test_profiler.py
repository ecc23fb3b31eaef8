"""The whole profiler, on programs whose faults are known."""

from __future__ import annotations

import asyncio
import cProfile
import json
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from perfwright.core import ConfigError, ProfilerError
from perfwright.profiling import BottleneckKind, Profiler


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
        {"max_cost_ratio": 2.0},
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Profiler(**settings).start()


def test_a_report_of_nothing_is_refused(profiled: Profiler) -> None:
    with pytest.raises(ConfigError, match="top_n"):
        profiled.get_report(top_n=0)


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
