import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfwright.core.errors import AttachError, ConfigError, MissingExtraError
from perfwright.profiling import attach
from perfwright.profiling.attach import profile_pid
from perfwright.profiling.model import Frame, Function

PROGRAM = """
import threading, time
class Shop:
    def total(self):
        return sum(number * number for number in range(2000))
def nap():
    while True:
        time.sleep(0.05)
threading.Thread(target=nap, name="sleeper", daemon=True).start()
print("ready", flush=True)
until = time.monotonic() + 30
while time.monotonic() < until:
    Shop().total()
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    file = tmp_path_factory.mktemp("attach") / "shop.py"
    file.write_text(PROGRAM)
    child = subprocess.Popen([sys.executable, str(file)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    try:
        yield child.pid, str(file)
    finally:
        child.kill()
        child.communicate()


def test_another_process_is_seen_with_functions_lines_and_states(
    program: tuple[int, str],
) -> None:
    pid, file = program
    profile = profile_pid(pid, 2.0)
    named = {stack.frames[-1].function.name: stack for stack in profile.stacks}
    assert named["Shop.total.<locals>.<genexpr>"].cpu_s > 0.5
    frames = {frame for stack in profile.stacks for frame in stack.frames}
    assert Frame(Function(file, 4, "Shop.total"), 5) in frames
    waiting = [stack for stack in profile.stacks if stack.state == "waiting"]
    assert {stack.thread for stack in waiting} == {"sleeper"}
    assert sum(stack.wall_s for stack in waiting) == pytest.approx(profile.wall_s, rel=0.35)
    assert profile.cost.rate_hz == 100.0


def test_a_process_that_is_not_there_is_an_error() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(AttachError, match="does not exist"):
        profile_pid(child.pid, 1.0)


def test_a_process_that_is_not_python_is_an_error() -> None:
    child = subprocess.Popen(["sleep", "30"])
    try:
        with pytest.raises(AttachError, match="not of a shell"):
            profile_pid(child.pid, 1.0)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


def _fake(tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "py-spy"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(attach, "_program", lambda: str(program))


def test_a_refusal_of_the_system_says_how_to_get_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake(tmp_path, "echo 'Permission Denied: try sudo' >&2; exit 1", monkeypatch)
    with pytest.raises(AttachError, match="SYS_PTRACE") as caught:
        profile_pid(os.getpid(), 1.0)
    assert caught.value.pid == os.getpid()


DEAR = """
while [ "$1" != --output ]; do shift; done
trap 'echo "{\\"shared\\": {\\"frames\\": []}, \\"profiles\\": []}" > "$2"; exit 0' INT
while :; do :; done
"""


def test_a_look_that_costs_too_much_is_taken_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake(tmp_path, DEAR, monkeypatch)
    monkeypatch.setattr(attach, "_START_S", 0.05)
    profile = profile_pid(os.getpid(), 2.0, idle=False)
    assert profile.cost.rate_hz < profile.cost.wanted_hz
    assert profile.cost.cpu_s > 0.1


def test_without_py_spy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(MissingExtraError, match="attach"):
        profile_pid(os.getpid(), 1.0)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("pid", {"pid": 0}),
        ("pid", {"pid": "1"}),
        ("seconds", {"seconds": 0.0}),
        ("seconds", {"seconds": float("nan")}),
        ("rate_hz", {"rate_hz": 5000}),
        ("max_cost_ratio", {"max_cost_ratio": 0}),
    ],
)
def test_a_setting_that_cannot_be_is_refused(field: str, values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=field):
        profile_pid(**({"pid": os.getpid(), "seconds": 1.0} | values))  # type: ignore[arg-type]
