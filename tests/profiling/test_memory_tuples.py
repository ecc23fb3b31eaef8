"""Asking who holds what must not break what other threads are building."""

from __future__ import annotations

import sys
import threading

from perfwright.profiling.memory.names import name_of
from perfwright.profiling.memory.owners import owners

HELD: list[int] = []


def test_tuples_that_another_thread_builds_are_left_alone() -> None:
    failed: list[SystemError] = []
    done = threading.Event()

    def build() -> None:
        try:
            while not done.is_set():
                tuple((str(number), HELD)[1] for number in range(50))
        except SystemError as error:
            failed.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    builder = threading.Thread(target=build)
    builder.start()
    try:
        for _ in range(5):
            owners([(("nowhere.py", 1),)])
            name_of(HELD)
    finally:
        done.set()
        builder.join()
        sys.setswitchinterval(interval)
    assert failed == []
