"""Ctrl-C and SIGTERM in the middle of `optimize`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from uuid import uuid4

import pytest

from tests.system.commands import fingerprint, finish, marked, run, start, wait_until
from tests.system.shops import make_shop, make_workload

SOON_S = 10.0


def to_group(process: Popen[str]) -> None:
    """Ctrl-C, as a terminal sends it: to everything that runs in front."""
    os.killpg(process.pid, signal.SIGINT)


def to_main(process: Popen[str]) -> None:
    process.terminate()


@pytest.mark.parametrize("stop", [to_group, to_main])
@pytest.mark.parametrize("moment", ["looking", "measuring"])
def test_a_stopped_run_leaves_nothing_behind(
    moment: str, stop: Callable[[Popen[str]], None], tmp_path: Path
) -> None:
    target = make_shop(tmp_path / "shop.db", rows=20_000)
    workload = make_workload(tmp_path / "w.jsonl", customers=2_000)
    before, mark = fingerprint(target), uuid4().hex
    home = tmp_path / ".perfwright"
    process = start("optimize", target, "--workload", workload, cwd=tmp_path, mark=mark)
    assert wait_until(lambda: len(marked(mark)) >= 2)
    if moment == "measuring":
        assert wait_until(lambda: bool(list(home.glob("scratch/*/*/b.db"))))
    began = time.monotonic()
    stop(process)
    done = finish(process)
    assert time.monotonic() - began < SOON_S
    assert (done.code, "stopped" in done.err) == (2, True)
    assert wait_until(lambda: not marked(mark), limit_s=5.0)
    assert list((home / "scratch").iterdir()) == []
    assert fingerprint(target) == before
    (listed,) = run("ledger", "--json", cwd=tmp_path).document["runs"]
    assert listed["status"] == "stopped"


def test_a_killed_run_is_called_crashed_at_the_next_start(tmp_path: Path) -> None:
    target = make_shop(tmp_path / "shop.db", rows=20_000)
    workload = make_workload(tmp_path / "w.jsonl", customers=2_000)
    mark = uuid4().hex
    process = start("optimize", target, "--workload", workload, cwd=tmp_path, mark=mark)
    assert wait_until(lambda: len(marked(mark)) >= 2)
    process.kill()
    process.communicate()
    assert wait_until(lambda: not marked(mark), limit_s=5.0)
    (listed,) = run("ledger", "--json", cwd=tmp_path).document["runs"]
    assert listed["status"] == "crashed"
    assert list((tmp_path / ".perfwright" / "scratch").iterdir()) == []
