"""The main thread does what other threads ask of it."""

from __future__ import annotations

import sys
import threading

import pytest

from perfwright.profiling.main_thread import call_soon

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="needs its interface")


def test_another_thread_has_the_main_thread_call() -> None:
    called: list[int] = []
    done = threading.Event()

    def note() -> None:
        called.append(threading.get_ident())
        done.set()

    thread = threading.Thread(target=lambda: call_soon(note))
    thread.start()
    thread.join()
    assert done.wait(10.0)
    assert called == [threading.main_thread().ident]


def test_more_calls_than_the_interpreter_holds_are_refused_and_the_rest_is_made() -> None:
    called: list[int] = []
    accepted: list[bool] = []
    asked = threading.Event()

    def ask() -> None:
        accepted.extend(call_soon(lambda: called.append(1)) for _ in range(5))
        asked.set()

    threading.Thread(target=ask).start()
    assert asked.wait(10.0)
    for _ in range(1000):
        pass
    assert sum(called) == sum(accepted) > 0
