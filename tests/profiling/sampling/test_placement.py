from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from perfwright.profiling.sampling import Sampler
from perfwright.profiling.sampling.placement import Placement

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or not Path("/proc/self/task").is_dir(),
    reason="the system does not let threads choose their processor",
)


def in_a_thread(work: object) -> list[object]:
    found: list[object] = []
    assert callable(work)
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join(10)
    return found


def test_a_thread_is_put_on_the_one_processor_of_another() -> None:
    other = threading.get_native_id()

    def placed() -> int:
        Placement(other)
        return len(os.sched_getaffinity(0))

    assert in_a_thread(placed) == [1]


def test_only_the_sampler_thread_is_moved() -> None:
    before = os.sched_getaffinity(0)
    with Sampler(200) as sampler:
        pass
    assert os.sched_getaffinity(0) == before
    assert not sampler.running


def test_a_thread_that_is_gone_changes_nothing() -> None:
    (gone,) = in_a_thread(threading.get_native_id)
    assert isinstance(gone, int)

    def placed() -> bool:
        before = os.sched_getaffinity(0)
        placement = Placement(gone)
        for _ in range(30):
            placement.follow(-1, starved=True)
        return os.sched_getaffinity(0) == before

    assert in_a_thread(placed) == [True]
