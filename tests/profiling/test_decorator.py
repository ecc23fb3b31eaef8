"""`@profile`: one function's calls."""

from __future__ import annotations

import asyncio
import cProfile
import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from perfwright.core import ConfigError
from perfwright.profiling import profile
from perfwright.profiling.decorator import to_standard_error


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


@pytest.mark.parametrize("given", [5, "work", dict])
def test_what_is_no_function_is_refused(given: Any) -> None:
    with pytest.raises(ConfigError, match="no function"):
        profile(report=None)(given)


def test_a_report_that_fails_touches_neither_result_nor_exception(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def boom(text: str) -> None:
        raise RuntimeError(f"cannot deliver {len(text)} characters")

    def fail() -> None:
        raise KeyError("x")

    assert profile(enable_memory=False, report=boom)(work)() == work()
    with pytest.raises(KeyError, match="x"):
        profile(enable_memory=False, report=boom)(fail)()
    assert caplog.text.count("RuntimeError: cannot deliver") == 2


def test_a_program_without_a_console_gets_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    assert profile(enable_memory=False)(work)() == work()


def test_a_console_that_is_closed_costs_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stderr", closed)
    assert profile(enable_memory=False)(work)() == work()


def test_a_report_that_fails_beside_a_closed_console_costs_no_result() -> None:
    script = """
import sys
from perfwright.profiling import profile
@profile(enable_memory=False, report=lambda text: 1 / 0)
def work():
    return 5
sys.stderr.close()
print(work())
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True, timeout=50
    )
    assert (ended.returncode, ended.stdout) == (0, "5\n")


def test_a_console_of_few_letters_gets_the_report_with_escapes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(written, "ascii", write_through=True))
    to_standard_error("1. café.py:1:é")
    assert written.getvalue() == b"1. caf\\xe9.py:1:\\xe9\n"


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # since 3.12
def test_a_child_forked_inside_a_profiled_call_returns_as_if_it_were_not_profiled() -> None:
    def fork() -> int:
        return os.fork()

    decorated: Any = profile(enable_memory=False, report=None)(fork)
    pid = decorated()
    if not pid:
        again: Any = profile(enable_memory=False, report=None)(work)
        right = decorated.profiler is None and again() == work() and again.profiler is not None
        os._exit(0 if right and sys.getprofile() is None else 1)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "fast"},
        {"top_n": 0},
        {"top_n": "3"},
        {"report": "x"},
        {"enable_cpu": False, "enable_memory": False, "enable_async": False},
    ],
)
def test_bad_settings_are_refused_where_they_are_written(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        profile(**settings)
