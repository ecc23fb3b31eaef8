"""The local engine: real worker processes, ended however their tasks end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from perfwright.core import SystemClock, is_alive
from perfwright.orchestrator import LocalEngine, Task, TaskResult
from tests.orchestrator import jobs

CHECKOUT = Path(__file__).parents[2]
SOON_S = 10.0

Result = TypeVar("Result")


@pytest.fixture(autouse=True)
def importable_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers import the functions of this suite."""
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))


def with_engine(use: Callable[[LocalEngine], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        engine = LocalEngine(clock=SystemClock())
        try:
            return await use(engine)
        finally:
            await engine.close()

    return asyncio.run(run())


def task(function: Callable[..., Any], *, timeout_s: float = 30.0, **arguments: object) -> Task:
    return Task(name=function.__name__, function=function, arguments=arguments, timeout_s=timeout_s)


def run_one(function: Callable[..., Any], *, timeout_s: float = 30.0, **arguments: object) -> Any:
    return with_engine(lambda engine: engine.run(task(function, timeout_s=timeout_s, **arguments)))


def gone_soon(pid: int) -> bool:
    """Whether a process ends within a bounded time."""
    until = time.monotonic() + SOON_S
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_running(pid)


def is_running(pid: int) -> bool:
    """Whether a process lives; one that is dead and waits for its parent does not."""
    if not is_alive(pid):
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def read_soon(note: Path) -> int:
    until = time.monotonic() + SOON_S
    while not (note.exists() and note.read_text()) and time.monotonic() < until:
        time.sleep(0.02)
    return int(note.read_text())


def assert_failed(result: TaskResult, *, says: str) -> None:
    assert not result.ok
    assert says in (result.error or "")


def test_a_task_returns_its_value() -> None:
    assert run_one(jobs.double, number=21).value == 42


def test_a_task_runs_in_another_process() -> None:
    assert run_one(jobs.who).value != os.getpid()


def test_a_tasks_progress_arrives() -> None:
    lines: list[str] = []
    with_engine(lambda engine: engine.run(task(jobs.double, number=4), progress=lines.append))
    assert lines == ["doubling 4"]


def test_a_worker_is_used_again_after_a_task_that_ended_well() -> None:
    async def twice(engine: LocalEngine) -> tuple[int, int]:
        return (await engine.run(task(jobs.who))).value, (await engine.run(task(jobs.who))).value

    first, second = with_engine(twice)
    assert first == second


def test_a_crash_is_reported_as_a_failure() -> None:
    assert_failed(run_one(jobs.die), says="ended without an answer")


def test_the_next_task_after_a_crash_runs() -> None:
    async def after_crash(engine: LocalEngine) -> TaskResult:
        await engine.run(task(jobs.die))
        return await engine.run(task(jobs.double, number=1))

    assert with_engine(after_crash).value == 2


def test_a_task_that_exits_is_reported_as_a_failure() -> None:
    assert_failed(run_one(jobs.leave), says="ended without an answer")


def test_a_hanging_task_is_ended_at_its_time_out(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    result = run_one(jobs.hang, note=str(note), timeout_s=2.0)
    assert_failed(result, says="took longer than 2s")
    assert gone_soon(int(note.read_text()))


def test_what_a_hanging_task_started_is_ended_too(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    run_one(jobs.hang_with_child, note=str(note), timeout_s=2.0)
    assert gone_soon(int(note.read_text()))


def test_an_expected_error_is_told_from_a_bug() -> None:
    refused, stumbled = run_one(jobs.refuse), run_one(jobs.stumble)
    assert (refused.expected, stumbled.expected) == (True, False)


def test_a_bug_is_reported_with_its_traceback() -> None:
    result = run_one(jobs.stumble)
    assert_failed(result, says="ZeroDivisionError: by a bug")
    assert "in stumble" in result.traceback


def test_a_value_that_cannot_travel_is_a_failure() -> None:
    assert_failed(run_one(jobs.unpicklable), says="pickle")


def test_arguments_that_cannot_travel_are_a_failure() -> None:
    assert_failed(run_one(jobs.double, number=lambda: 1), says="cannot be sent to a worker")


def test_a_class_that_the_worker_cannot_import_is_a_failure() -> None:
    assert_failed(run_one(jobs.double, number=jobs.OnlyHere()), says="not known in this process")


def test_a_value_that_does_not_arrive_whole_is_a_failure() -> None:
    assert_failed(run_one(jobs.only_there), says="does not unpickle")


def test_what_a_target_prints_does_not_disturb_the_answer() -> None:
    assert run_one(jobs.chatter).value == "done"


def test_a_large_answer_arrives_whole() -> None:
    assert len(run_one(jobs.large, size_bytes=20_000_000).value) == 20_000_000


def test_cancelling_a_task_ends_its_process(tmp_path: Path) -> None:
    note = tmp_path / "pid"

    async def cancel(engine: LocalEngine) -> int:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(task(jobs.hang, note=str(note))))
            pid = await asyncio.to_thread(read_soon, note)
            running.cancel()
        return pid

    assert gone_soon(with_engine(cancel))


def test_closing_an_engine_ends_its_idle_workers() -> None:
    assert gone_soon(run_one(jobs.who).value)


def test_an_engine_may_be_closed_twice() -> None:
    async def close(engine: LocalEngine) -> bool:
        await engine.run(task(jobs.who))
        await engine.close()
        return True

    assert with_engine(close)


PARENT = """
import asyncio, sys
from perfwright.core import SystemClock
from perfwright.orchestrator import LocalEngine, Task
from tests.orchestrator import jobs
task = Task(name="hang", function=jobs.hang, arguments={"note": sys.argv[1]})
asyncio.run(LocalEngine(clock=SystemClock()).run(task))
"""


def test_a_worker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(note)])
    try:
        worker = read_soon(note)
    finally:
        parent.kill()
        parent.wait()
    assert gone_soon(worker)
