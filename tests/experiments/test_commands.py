"""Commands run as real processes: nothing is lost, nothing is left behind."""

from __future__ import annotations

import gc
import os
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from perfwright.core import Arm, is_alive
from perfwright.experiments import CommandBench, CommandFailedError, CommandRunner, split_command

PYTHON = shlex.quote(sys.executable) + " -I -S -c "


@pytest.fixture
def runner() -> Iterator[CommandRunner]:
    with CommandRunner(timeout_s=30.0) as runner:
        yield runner


def bench(runner: CommandRunner, a: str, b: str = "true", **options: Any) -> CommandBench:
    return CommandBench(a=a, b=b, runner=runner, **options)


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("git log --oneline", ["git", "log", "--oneline"]),
        ("echo 'two words' \"and more\"", ["echo", "two words", "and more"]),
        (r"echo a\ b", ["echo", "a b"]),
        ("echo 'it'\"'\"'s'", ["echo", "it's"]),
        ("  spaced   out  ", ["spaced", "out"]),
        ("plain\n", ["plain"]),
    ],
)
def test_a_plain_command_runs_without_a_shell(command: str, argv: list[str]) -> None:
    assert split_command(command) == argv


@pytest.mark.parametrize(
    "command",
    ["a | b", "a && b", "a; b", "a > f", "echo $HOME", "ls *.py", "N=1 a", "a\nb", "echo `a`"],
)
def test_shell_syntax_asks_for_a_shell(command: str) -> None:
    assert split_command(command) == ["/bin/sh", "-c", command]


@pytest.mark.parametrize(
    ("command", "problem"),
    [("", "is empty"), ("   ", "is empty"), ("\n", "is empty"), ("echo 'open", "No closing")],
)
def test_a_command_that_cannot_be_read_is_refused(command: str, problem: str) -> None:
    with pytest.raises(CommandFailedError, match=problem) as caught:
        split_command(command)
    assert caught.value.command == command


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["true"], 0),
        (["false"], 1),
        (["/bin/sh", "-c", "exit 42"], 42),
        (["/bin/sh", "-c", "kill -9 $$"], -9),
        (["/bin/sh", "-c", "kill -TERM $$"], -15),
        (["no-such-program"], 127),
    ],
)
def test_a_run_reports_how_it_ended(runner: CommandRunner, argv: list[str], code: int) -> None:
    assert runner.run(argv).exit_code == code


def test_arguments_arrive_as_they_were_given(runner: CommandRunner) -> None:
    argv = ["printf", "%s|", "two words", "it's", 'say "hi"', "$HOME", "größe", "new\nline", ""]
    runner.run(argv)
    assert runner.output()[0].decode() == 'two words|it\'s|say "hi"|$HOME|größe|new\nline||'


def test_each_run_has_an_output_of_its_own(runner: CommandRunner) -> None:
    outputs = []
    for text in ("a long first line", "two", ""):
        runner.run(["/bin/sh", "-c", f"printf '%s' '{text}'; printf '%s' 'e{text}' >&2"])
        outputs.append(runner.output())
    assert outputs == [
        (b"a long first line", "ea long first line"),
        (b"two", "etwo"),
        (b"", "e"),
    ]


def test_a_command_reads_nothing(runner: CommandRunner) -> None:
    assert runner.run(["cat"]).exit_code == 0
    assert runner.output() == (b"", "")


def test_cpu_time_is_that_of_the_command(runner: CommandRunner) -> None:
    burn = "import time\nend = time.process_time() + 0.1\nwhile time.process_time() < end: pass"
    run = runner.run([sys.executable, "-I", "-S", "-c", burn])
    assert 0.1 <= run.cpu_s <= run.wall_s * 1.5


def test_the_memory_that_a_command_takes_is_seen(runner: CommandRunner) -> None:
    small = runner.run(["true"]).peak_bytes
    large = runner.run([sys.executable, "-I", "-S", "-c", "x = b'x' * 60_000_000"]).peak_bytes
    assert 60_000_000 < large < 120_000_000
    assert large - small > 55_000_000


def test_a_small_command_takes_less_than_we_do(runner: CommandRunner) -> None:
    own = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert runner.run(["true"]).peak_bytes < min(own, 20_000_000)


def test_a_failing_command_is_shown_with_the_end_of_its_complaint(runner: CommandRunner) -> None:
    script = "for i in $(seq 500); do echo line $i >&2; done; exit 3"
    with pytest.raises(CommandFailedError, match="ended with exit code 3") as caught:
        bench(runner, script).measure(Arm.A)
    assert caught.value.command == script
    assert str(caught.value).endswith("line 500")
    assert "line 1\n" not in str(caught.value)


def test_a_killed_command_is_shown_with_its_signal(runner: CommandRunner) -> None:
    with pytest.raises(CommandFailedError, match="was ended by signal 9"):
        bench(runner, "kill -9 $$").measure(Arm.A)


def test_a_missing_program_is_named(runner: CommandRunner) -> None:
    with pytest.raises(CommandFailedError, match="no-such-program: No such file or directory"):
        bench(runner, "no-such-program --fast").measure(Arm.A)


def test_failures_may_be_ignored(runner: CommandRunner) -> None:
    ignoring = bench(runner, "exit 3;", ignore_failure=True)
    assert set(ignoring.measure(Arm.A)) == {"wall", "cpu", "memory"}
    assert ignoring.exit_codes == {Arm.A: 3}


def test_the_preparation_runs_before_every_run(runner: CommandRunner) -> None:
    prepared = bench(runner, "echo run >> log", prepare="echo prepare >> log")
    for _ in range(2):
        prepared.measure(Arm.A)
    assert Path("log").read_text(encoding="utf-8").split() == ["prepare", "run"] * 2


def test_a_preparation_that_fails_is_an_error(runner: CommandRunner) -> None:
    with pytest.raises(CommandFailedError, match="'false' ended with exit code 1"):
        bench(runner, "true", prepare="false").measure(Arm.A)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [("echo x", "printf 'x\\n'", True), ("echo x", "echo y", False), ("echo x", "true", False)],
)
def test_outputs_are_compared_when_asked(runner: CommandRunner, a: str, b: str, same: bool) -> None:
    (guard,) = bench(runner, a, b, same_output=True).check()
    assert (guard.name, guard.passed) == ("output", same)


def test_outputs_are_not_compared_unasked(runner: CommandRunner) -> None:
    assert bench(runner, "echo x", "echo y").check() == ()


def ended(*pids: int) -> bool:
    """Wait until processes have ended, through the kernel and not by the clock."""
    for pid in pids:
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            ready, _, _ = select.select([descriptor], [], [], 10.0)
            os.close(descriptor)
            if not ready:
                return False
    return True


def test_a_command_that_takes_too_long_is_ended_with_its_children() -> None:
    with CommandRunner(timeout_s=0.5) as runner:
        slow = bench(runner, "sleep 100 & echo $! > pids; echo $$ >> pids; wait")
        with pytest.raises(CommandFailedError, match=r"took longer than 0\.5s"):
            slow.measure(Arm.A)
        pids = [int(pid) for pid in Path("pids").read_text(encoding="utf-8").split()]
        assert len(pids) == 2
        assert ended(*pids)


def test_after_a_time_out_the_next_command_runs() -> None:
    with CommandRunner(timeout_s=0.5) as runner:
        with pytest.raises(CommandFailedError):
            runner.run(["sleep", "100"])
        assert runner.run(["/bin/sh", "-c", "exit 7"]).exit_code == 7


def helper(runner: CommandRunner) -> subprocess.Popen[bytes]:
    return runner._process


def test_a_helper_that_died_before_is_an_error() -> None:
    with CommandRunner() as runner:
        helper(runner).kill()
        helper(runner).wait()
        with pytest.raises(CommandFailedError, match="could not be started"):
            bench(runner, "true").measure(Arm.A)


def test_a_helper_that_dies_during_a_run_is_an_error() -> None:
    with CommandRunner() as runner, pytest.raises(CommandFailedError) as caught:
        runner.run(["/bin/sh", "-c", "kill -9 $PPID; sleep 100"])
    assert "could not be" in str(caught.value) or "helper" in str(caught.value)


def test_closing_twice_leaves_no_process() -> None:
    runner = CommandRunner()
    runner.run(["true"])
    runner.close()
    runner.close()
    assert not is_alive(helper(runner).pid)
    assert helper(runner).returncode == -signal.SIGKILL


def test_closing_after_the_helper_died_is_quiet() -> None:
    runner = CommandRunner()
    helper(runner).kill()
    helper(runner).wait()
    runner.close()
    gc.collect()  # would warn of pipes that were left open, and a warning is an error here
    assert helper(runner).returncode == -signal.SIGKILL
