"""The vocabulary: scopes, and processes that live or do not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from perfwright.core import Scope, is_alive


@pytest.mark.parametrize(
    ("run", "work", "included"),
    [
        (Scope.QUICK_WIN, Scope.QUICK_WIN, True),
        (Scope.QUICK_WIN, Scope.COMPREHENSIVE, False),
        (Scope.COMPREHENSIVE, Scope.QUICK_WIN, True),
        (Scope.COMPREHENSIVE, Scope.COMPREHENSIVE, True),
    ],
)
def test_a_quick_run_leaves_comprehensive_work_out(run: Scope, work: Scope, included: bool) -> None:
    assert run.includes(work) is included


def test_this_process_is_alive() -> None:
    assert is_alive(os.getpid())


def test_a_process_that_ended_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    child.wait()
    assert not is_alive(child.pid)


def test_a_process_of_somebody_else_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError(pid, signal)

    monkeypatch.setattr(os, "kill", refuse)
    assert is_alive(1)
