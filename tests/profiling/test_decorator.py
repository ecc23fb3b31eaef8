"""`@profile`: one function's calls."""

from __future__ import annotations

import asyncio
import cProfile
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from perfwright.core import ConfigError
from perfwright.profiling import profile


def work() -> int:
    return sum(number * number for number in range(20_000))


def test_the_report_of_a_call_goes_where_the_user_says() -> None:
    reports: list[str] = []
    plain: Any = profile(enable_memory=False, report=reports.append)(work)
    assert plain() == work()
    assert len(reports) == 1
    assert "Bottleneck Score" in reports[0]


def test_by_default_the_report_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    profile(enable_memory=False)(work)()
    output = capsys.readouterr()
    assert (output.out, "Profile of" in output.err) == ("", True)


def test_a_coroutine_function_is_profiled_over_its_waits() -> None:
    @profile(enable_memory=False, report=None)
    async def fetch() -> int:
        await asyncio.sleep(0.05)
        return work()

    decorated: Any = fetch
    assert asyncio.run(decorated()) == work()
    assert decorated.profiler.profile.wall_s > 0.02


def test_calls_beside_a_profiled_one_belong_to_it() -> None:
    reports: list[str] = []

    @profile(enable_memory=False, report=reports.append)
    async def fetch() -> int:
        await asyncio.sleep(0.01)
        return 1

    async def both() -> list[int]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetch()) for _ in range(2)]
        return [task.result() for task in tasks]

    assert (asyncio.run(both()), len(reports)) == ([1, 1], 1)


def test_a_call_that_fails_is_profiled_too() -> None:
    def fail() -> None:
        work()
        raise KeyError("x")

    decorated: Any = profile(enable_memory=False, report=None)(fail)
    with pytest.raises(KeyError):
        decorated()
    assert decorated.profiler.profile.wall_s > 0.0


def test_a_call_goes_on_unprofiled_beside_a_foreign_profiler(
    caplog: pytest.LogCaptureFixture,
) -> None:
    decorated: Any = profile(enable_memory=False, report=None)(work)
    with caplog.at_level(logging.WARNING), cProfile.Profile():
        assert decorated() == work()
    assert (decorated.profiler, "another profiler" in caplog.text) == (None, True)


def test_without_parentheses_it_decorates_as_well() -> None:
    decorated: Any = profile(work)
    assert decorated.__wrapped__ is work
    assert decorated.profiler is None


def test_what_yields_is_refused() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    with pytest.raises(ConfigError, match="yields"):
        profile(numbers)


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "fast"},
        {"top_n": 0},
        {"enable_cpu": False, "enable_memory": False, "enable_async": False},
    ],
)
def test_bad_settings_are_refused_where_they_are_written(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        profile(**settings)
