import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfwright.core import SystemClock
from perfwright.core.errors import AttachError, ConfigError, MissingExtraError
from perfwright.profiling import attach, py_spy
from perfwright.profiling.attach import profile_pid
from perfwright.profiling.model import Frame, Function, Profile
from perfwright.profiling.py_spy import Run

PROGRAM = """
import threading, time
class Shop:
    def total(self):
        return sum(sum(range(500)) for number in range(200))
def nap():
    threading.Event().wait()
threading.Thread(target=nap, name="sleeper", daemon=True).start()
print("ready", flush=True)
until = time.monotonic() + 120
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


# Cost decides nothing here: how much CPU py-spy takes is up to the machine.
ANY_COST = 4.0


def test_another_process_is_seen_with_functions_lines_and_states(
    program: tuple[int, str],
) -> None:
    pid, file = program
    profile = profile_pid(pid, 2.0, max_cost_ratio=ANY_COST)
    assert profile.wall_s >= 2.0
    running = [stack for stack in profile.stacks if stack.state == "running"]
    computing = "Shop.total.<locals>.<genexpr>"
    busy_s = sum(stack.cpu_s for stack in running)
    assert sum(s.cpu_s for s in running if s.frames[-1].function.name == computing) > 0.5 * busy_s
    frames = {frame for stack in profile.stacks for frame in stack.frames}
    assert Frame(Function(file, 4, "Shop.total"), 5) in frames
    waiting = [stack for stack in profile.stacks if stack.state == "waiting"]
    assert {stack.thread for stack in waiting} <= {"sleeper"}
    sleeper_s = sum(stack.wall_s for stack in profile.stacks if stack.thread == "sleeper")
    assert 0.5 * profile.wall_s < sleeper_s < 1.35 * profile.wall_s
    assert profile.cost.rate_hz == 100.0


def test_threads_that_stand_still_are_told_from_those_that_run(program: tuple[int, str]) -> None:
    # A look that stops the process wakes its threads, and until a busy machine has a processor for
    # them, they are as ready to run as one that computes.
    profile = profile_pid(program[0], 2.0, max_cost_ratio=ANY_COST, nonblocking=True)
    waiting = [stack for stack in profile.stacks if stack.state == "waiting"]
    assert {stack.thread for stack in waiting} == {"sleeper"}
    assert sum(stack.wall_s for stack in waiting) == pytest.approx(profile.wall_s, rel=0.35)
    running_s = sum(
        stack.wall_s
        for stack in profile.stacks
        if (stack.thread, stack.state) == ("MainThread", "running")
    )
    assert running_s > 0.5 * profile.wall_s


SLOW = """
sleep 1.6
exec {real} "$@"
"""


def test_a_slow_start_takes_nothing_from_the_time_of_sampling(
    program: tuple[int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake(tmp_path, SLOW.format(real=attach.find_py_spy()), monkeypatch)
    profile = profile_pid(program[0], 1.0, idle=False, max_cost_ratio=ANY_COST)
    assert profile.wall_s >= 1.0
    assert sum(stack.samples for stack in profile.stacks) >= 20


def test_py_spy_says_when_it_samples(program: tuple[int, str], tmp_path: Path) -> None:
    command = [str(attach.find_py_spy()), "record", "--pid", str(program[0]), "--duration", "1"]
    command += ["--output", str(tmp_path / "out.json"), "--format", "speedscope"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        run = Run(program[0], child, clock=SystemClock(), free_s=0.0)
        while run.listen(1.0):
            pass
    assert run.samples
    assert "Errors: 0" in run.said


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


WAIT = "signal.sigwait([signal.SIGINT])"
BUSY_WAIT = "while not signal.sigtimedwait([signal.SIGINT], 0.0): pass"


def _imitate(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    start: str = "",
    share: float = 1.0,
    wait: str = WAIT,
) -> None:
    """Put in place of py-spy what sees one busy thread, at a share of the looks asked for."""
    script = f"""
import json, os, signal, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
def option(name):
    return sys.argv[sys.argv.index(name) + 1]
def write(samples):
    thread = {{"type": "sampled", "name": 'Thread 1 "MainThread"', "unit": "seconds"}}
    thread |= {{"samples": [[0]] * samples, "weights": [0.01] * samples}}
    frame = {{"name": "total", "file": "shop.py", "line": 5}}
    with open(option("--output"), "w") as file:
        json.dump({{"shared": {{"frames": [frame]}}, "profiles": [thread]}}, file)
{start}
begun_s = time.monotonic()
print("py-spy> Sampling process as often as asked for", flush=True)
{wait}
passed_s = time.monotonic() - begun_s
if {share} < 1.0:
    print(f"{{passed_s * (1.0 - {share}):.3f}}s behind in sampling", flush=True)
write(1 + int(passed_s * {share} * int(option("--rate"))))
"""
    (tmp_path / "imitation.py").write_text(script)
    _fake(tmp_path, f'exec "{sys.executable}" "{tmp_path}/imitation.py" "$@"', monkeypatch)


def _busy_s(profile: Profile) -> float:
    return sum(stack.cpu_s for stack in profile.stacks)


def test_what_py_spy_takes_to_begin_counts_neither_as_time_nor_as_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _imitate(tmp_path, monkeypatch, start="while time.process_time() < 0.3: pass")
    profile = profile_pid(os.getpid(), 1.0, idle=False, max_cost_ratio=1e-3)
    assert profile.cost.cpu_s >= 0.25  # told in hundredths
    assert profile.cost.rate_hz == profile.cost.wanted_hz
    assert profile.wall_s >= 1.0
    assert _busy_s(profile) == pytest.approx(profile.wall_s)


def test_samples_of_a_py_spy_that_falls_behind_stand_for_all_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _imitate(tmp_path, monkeypatch, share=0.25)
    profile = profile_pid(os.getpid(), 0.6, idle=False)
    assert _busy_s(profile) == pytest.approx(profile.wall_s)


def test_a_py_spy_that_does_not_say_when_it_begins_is_let_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _imitate(
        tmp_path, monkeypatch, start="time.sleep(int(option('--duration'))); write(50); sys.exit()"
    )
    profile = profile_pid(os.getpid(), 1.0, idle=False)
    assert sum(stack.samples for stack in profile.stacks) == 50
    assert 0.0 < _busy_s(profile) <= profile.wall_s


def test_a_py_spy_that_never_begins_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _imitate(tmp_path, monkeypatch, start="time.sleep(60)")
    monkeypatch.setattr(attach, "_GRACE_S", 0.2)
    with pytest.raises(AttachError, match="has not ended"):
        profile_pid(os.getpid(), 0.2)


def test_a_py_spy_that_writes_nothing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake(tmp_path, "echo Sampling process; exec sleep 60", monkeypatch)
    with pytest.raises(AttachError, match="took no sample"):
        profile_pid(os.getpid(), 0.2)


def test_what_was_seen_of_a_process_that_ends_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = """
if "--idle" in sys.argv:
    pid = int(option("--pid"))
    os.kill(pid, signal.SIGKILL)
    while os.path.exists(f"/proc/{pid}"): time.sleep(0.01)
    sys.exit("Error: no such process")
"""
    _imitate(tmp_path, monkeypatch, start=ending)
    with subprocess.Popen(["sleep", "60"]) as child:
        reaper = threading.Thread(target=child.wait)
        reaper.start()
        profile = profile_pid(child.pid, 1.0)
        reaper.join()
    assert _busy_s(profile) == pytest.approx(profile.wall_s)
    assert profile.wall_s >= 0.75


def test_a_look_that_costs_too_much_is_taken_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(py_spy, "FIRST_S", 0.0)
    _imitate(tmp_path, monkeypatch, wait=BUSY_WAIT)
    profile = profile_pid(os.getpid(), 2.0, idle=False, max_cost_ratio=1e-3)
    assert profile.cost.rate_hz < profile.cost.wanted_hz
    assert profile.cost.cpu_s > 1e-3 * profile.wall_s
    assert profile.wall_s >= 2.0 - 0.2
    assert _busy_s(profile) == pytest.approx(profile.wall_s)


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


WOKEN = """
while [ "$1" != --output ]; do shift; done
trap 'cp {document} "$2"; exit 0' INT
echo "py-spy> Sampling process 100 times a second for 2 seconds. Press Control-C to exit."
while :; do sleep 0.02; done
"""


def test_a_thread_that_was_only_woken_by_the_looks_did_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = threading.Event()
    sleeper = threading.Thread(target=leave.wait, name="sleeper")
    sleeper.start()
    frames = [
        {"name": f"thread ({sleeper.native_id}): sleeper", "file": "", "line": 0},
        {"name": "Event.wait", "file": "threading.py", "line": 5},
    ]
    seen = {
        "type": "sampled",
        "name": f'Thread {sleeper.native_id} "sleeper"',
        "unit": "none",
        "startValue": 0,
        "endValue": 100,
        "samples": [[0, 1]] * 100,
        "weights": [1] * 100,
    }
    document = tmp_path / "document.json"
    document.write_text(json.dumps({"shared": {"frames": frames}, "profiles": [seen]}))
    _fake(tmp_path, WOKEN.format(document=document), monkeypatch)
    profile = profile_pid(os.getpid(), 1.0, idle=False, max_cost_ratio=ANY_COST)
    leave.set()
    sleeper.join()
    assert sum(stack.wall_s for stack in profile.stacks) < 0.2
