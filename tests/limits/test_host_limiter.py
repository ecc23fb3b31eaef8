"""Between processes of a host: one limit, whoever is killed, forked or stopped."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from perfwright.core import (
    ConfigError,
    LimiterUnavailableError,
    LimitTimeoutError,
    ManualClock,
)
from perfwright.limits import HostRateLimiter, Rate
from perfwright.limits._host_file import MAX_NUMBERS, HostFile
from tests.limits.windows import assert_never_over

WORKER = """
import asyncio, json, sys, time
from perfwright.limits import HostRateLimiter, Rate
async def main():
    rate, used = Rate(float(sys.argv[2]), float(sys.argv[3])), []
    end = time.perf_counter() + float(sys.argv[4])
    async with HostRateLimiter(sys.argv[1], rate) as limiter:
        while time.perf_counter() < end:
            used.append((await limiter.reserve(1.0)).moment_s)
    print(json.dumps(used))
asyncio.run(main())
"""


def limiter(
    file: Path, rate: Rate | dict[str, Rate], *, clock: ManualClock | None = None
) -> HostRateLimiter:
    """Without headroom, so that numbers are round."""
    return HostRateLimiter(file, rate, headroom_ratio=0.0, clock=clock)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "api.limit"


def test_two_limiters_of_one_file_share_its_limit(file: Path) -> None:
    clock = ManualClock()
    one, other = (limiter(file, Rate(1.0, 3.0), clock=clock) for _ in range(2))
    assert [one.try_acquire(), other.try_acquire(), one.try_acquire()] == [True, True, True]
    assert not other.try_acquire()


def test_a_call_of_one_waits_behind_those_of_the_other(file: Path) -> None:
    async def work() -> None:
        clock = ManualClock()
        async with (
            limiter(file, Rate(1.0, 1.0), clock=clock) as one,
            limiter(file, Rate(1.0, 1.0), clock=clock) as other,
        ):
            await one.acquire()
            await other.acquire()
            await one.acquire()
        assert clock.now() == pytest.approx(2.0)

    run(work)


def test_a_settlement_is_seen_by_the_other(file: Path) -> None:
    async def work() -> None:
        clock = ManualClock()
        other = limiter(file, Rate(1.0, 10.0), clock=clock)
        async with limiter(file, Rate(1.0, 10.0), clock=clock) as one:
            (await one.reserve(10.0)).settle(4.0)
        assert other.available() == {"calls": pytest.approx(6.0)}

    run(work)


def test_a_pause_stops_the_other(file: Path) -> None:
    clock = ManualClock()
    one, other = (limiter(file, Rate(1.0, 3.0), clock=clock) for _ in range(2))
    one.pause(10.0)
    assert not other.try_acquire()
    clock.now_s = 10.0
    assert other.try_acquire()


def test_a_new_rate_counts_for_the_other(file: Path) -> None:
    clock = ManualClock()
    one, other = (limiter(file, Rate(1.0, 10.0), clock=clock) for _ in range(2))
    assert other.try_acquire(10.0)
    one.set_rate(Rate(5.0, 10.0))
    clock.now_s = 1.0
    assert other.available() == {"calls": pytest.approx(5.0)}


def test_a_call_that_would_come_too_late_is_refused_at_once(file: Path) -> None:
    async def work() -> None:
        clock = ManualClock()
        async with limiter(file, Rate(1.0, 1.0), clock=clock) as one:
            await one.acquire()
            with pytest.raises(LimitTimeoutError) as caught:
                await one.acquire(timeout_s=0.5)
            assert caught.value.wait_s == pytest.approx(1.0)
            assert clock.now() == 0.0
            assert one.available() == {"calls": 0.0}

    run(work)


def test_a_cancelled_call_leaves_its_moment_to_the_next(file: Path) -> None:
    async def work() -> None:
        async with limiter(file, Rate(2.0, 1.0)) as one:
            start_s = (await one.reserve(1.0)).moment_s
            first = asyncio.get_running_loop().create_task(one.acquire())
            second = asyncio.get_running_loop().create_task(one.reserve(1.0))
            await asyncio.sleep(0.05)
            first.cancel()
            assert (await second).moment_s == pytest.approx(start_s + 0.5)

    run(work)


def test_four_processes_together_keep_the_limit(file: Path) -> None:
    rate = Rate(100.0, 10.0)
    command = [sys.executable, "-c", WORKER, str(file), str(rate.per_s), str(rate.burst), "1.5"]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    moments = [moment for one in workers for moment in json.loads(one.communicate(timeout=30)[0])]
    assert_never_over([(moment, 1.0) for moment in moments], rate)
    assert len(moments) >= 0.9 * 1.5 * rate.per_s


def test_a_killed_process_leaves_nothing_locked(file: Path) -> None:
    one = limiter(file, Rate(1.0, 3.0))
    assert one.try_acquire()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys, time\n"
            "file = open(sys.argv[1], 'r+b')\n"
            "fcntl.flock(file, fcntl.LOCK_EX)\n"
            "print('locked', flush=True)\n"
            "time.sleep(60)",
            str(file),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    with pytest.raises(LimiterUnavailableError):
        one.try_acquire()
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert one.try_acquire()


def test_a_lock_that_is_never_given_back_is_an_error(file: Path) -> None:
    one = limiter(file, Rate(1.0, 3.0))
    assert one.try_acquire()
    with file.open("r+b") as stopped:
        fcntl.flock(stopped, fcntl.LOCK_EX)
        with pytest.raises(LimiterUnavailableError, match="another process holds its lock"):
            one.try_acquire()
    assert one.try_acquire()


def test_a_file_of_something_else_is_refused_as_it_is(file: Path) -> None:
    file.write_text("the notes of somebody")
    with pytest.raises(LimiterUnavailableError, match="holds something else"):
        limiter(file, Rate(1.0, 3.0)).try_acquire()
    assert file.read_text() == "the notes of somebody"


def test_a_fork_has_a_lock_of_its_own(file: Path) -> None:
    one = HostFile(file)
    with one.locked() as held:
        assert held is not None
        child = os.fork()
        if child == 0:
            with one.locked() as in_child:
                os._exit(7 if in_child is None else 8)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7


def test_a_write_that_was_not_finished_does_not_count(file: Path) -> None:
    one = HostFile(file)
    with one.locked():
        one.write([1.0, 2.0])
        one.write([3.0])
    content = bytearray(file.read_bytes())
    content[48] = 1 - content[48]  # as if the last byte of the second write had not come
    file.write_bytes(content)
    with one.locked():
        assert one.read() == [1.0, 2.0]


def test_a_state_from_before_the_machine_was_started_does_not_count(file: Path) -> None:
    assert limiter(file, Rate(1.0, 3.0)).try_acquire(3.0)
    content = bytearray(file.read_bytes())
    content[32:48] = bytes(16)  # where the file says which start it belongs to
    file.write_bytes(content)
    assert limiter(file, Rate(1.0, 3.0)).try_acquire(3.0)


def test_no_more_is_written_than_there_is_room_for(file: Path) -> None:
    one = HostFile(file)
    with one.locked():
        one.write([0.5] * MAX_NUMBERS)
        assert one.read() == [0.5] * MAX_NUMBERS
        with pytest.raises(ValueError, match="do not fit"):
            one.write([0.5] * (MAX_NUMBERS + 1))


def test_a_file_of_other_limits_is_refused(file: Path) -> None:
    assert limiter(file, Rate(1.0, 3.0)).try_acquire()
    two = limiter(file, {"requests": Rate(1.0), "tokens": Rate(1.0)})
    with pytest.raises(LimiterUnavailableError, match="its own file"):
        two.try_acquire({"requests": 1, "tokens": 1})


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(LimiterUnavailableError, match=r"missing/api\.limit"):
        limiter(tmp_path / "missing" / "api.limit", Rate(1.0)).try_acquire()


def test_more_limits_than_fit_are_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match="at most 12"):
        limiter(file, {str(number): Rate(1.0) for number in range(13)})
