"""Runs commands and measures wall time, CPU time, peak memory and exit code.

A child's peak memory is never below that of the process that it was forked from, and forking a
large process is slow. So a bare interpreter does the forking (`_launcher.py`): the floor is its
own few megabytes, the same for both arms.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from perfwright.core import Arm, Guardrail, MetricGuard, PerfwrightError

_SHELL_SYNTAX = frozenset("|&;<>()$`*?[]~{}\n=")
_ERROR_TAIL = 400
_AFTER_KILL_S = 5.0


class CommandFailedError(PerfwrightError):
    """A measured command ended with an error, or did not end."""

    remedy = "run it by itself to see what is wrong"

    def __init__(self, *, command: str, problem: str, output: str) -> None:
        self.command, self.problem, self.output = command, problem, output
        tail = f": {output[-_ERROR_TAIL:].strip()}" if output.strip() else ""
        super().__init__(f"{command!r} {problem}{tail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRun:
    """One run of one command."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    exit_code: int


def split_command(command: str) -> list[str]:
    """Turn a command line into arguments; a shell is used only where its syntax asks for one.

    Raises:
        CommandFailedError: If quotes do not match or nothing is left to run.
    """
    if _SHELL_SYNTAX.intersection(command.strip()):
        return ["/bin/sh", "-c", command]
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise CommandFailedError(
            command=command, problem=f"cannot be read ({error})", output=""
        ) from None
    if not argv:
        raise CommandFailedError(command=command, problem="is empty", output="")
    return argv


class CommandRunner:
    """Runs commands one after another in a small helper process. Use as a context manager."""

    def __init__(self, *, timeout_s: float | None = None) -> None:
        self._timeout_s = timeout_s
        self._stdout = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        descriptors = (self._stdout.fileno(), self._stderr.fileno())
        launcher = Path(__file__).with_name("_launcher.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(launcher), *map(str, descriptors)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=descriptors,
            start_new_session=True,  # Ctrl-C reaches us, and we end the command
        )
        self._stdin = cast("IO[bytes]", self._process.stdin)  # a pipe, as asked for above
        self._answers = cast("IO[bytes]", self._process.stdout)
        self._unread = b""

    def __enter__(self) -> CommandRunner:
        """Return the runner."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the helper process."""
        self.close()

    def run(self, argv: Sequence[str]) -> CommandRun:
        """Run one command to its end.

        Raises:
            CommandFailedError: If it takes longer than the time-out, or the helper process is gone.
        """
        try:
            self._stdin.write(json.dumps(list(argv)).encode() + b"\n")
            self._stdin.flush()
        except BrokenPipeError:
            raise CommandFailedError(
                command="command", problem="could not be started (its helper is gone)", output=""
            ) from None
        pid = int(self._answer())
        try:
            wall_s, cpu_s, peak_bytes, exit_code = json.loads(self._answer(self._timeout_s))
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            self._finish()
            raise
        return CommandRun(wall_s=wall_s, cpu_s=cpu_s, peak_bytes=peak_bytes, exit_code=exit_code)

    def output(self) -> tuple[bytes, str]:
        """Standard output and standard error of the last run."""
        self._stdout.seek(0)
        self._stderr.seek(0)
        return self._stdout.read(), self._stderr.read().decode(errors="replace")

    def close(self) -> None:
        """Stop the helper process; idempotent."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._stdin, self._answers, self._stdout, self._stderr):
            with suppress(BrokenPipeError):
                pipe.close()

    def _finish(self) -> None:
        """Read what the helper says of a command that was killed; else the next run would."""
        with suppress(CommandFailedError):
            self._answer(_AFTER_KILL_S)

    def _answer(self, timeout_s: float | None = None) -> str:
        """Read one line; by hand, since a buffered reader would hide a second line from select."""
        descriptor = self._answers.fileno()
        while b"\n" not in self._unread:
            ready, _, _ = select.select([descriptor], [], [], timeout_s)
            if not ready:
                raise CommandFailedError(
                    command="command", problem=f"took longer than {timeout_s:g}s", output=""
                )
            received = os.read(descriptor, 65536)
            if not received:
                raise CommandFailedError(
                    command="command", problem="could not be started", output=self.output()[1]
                )
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()


@dataclass(slots=True, kw_only=True)
class CommandBench:
    """Two commands as the arms of an experiment.

    Metrics: `wall` and `cpu` in seconds, `memory` in bytes (peak resident set).
    """

    a: str
    b: str
    runner: CommandRunner
    prepare: str | None = None
    """Run before every measured run, not counted."""
    ignore_failure: bool = False
    same_output: bool = False
    primary: str = "wall"
    guards: Sequence[MetricGuard] = ()
    exit_codes: dict[Arm, int] = field(default_factory=dict)

    def command(self, arm: Arm) -> str:
        """The command line of an arm."""
        return self.a if arm is Arm.A else self.b

    def measure(self, arm: Arm) -> Mapping[str, float]:
        """Run one command once.

        Raises:
            CommandFailedError: If it ends with an error and failures are not ignored.
        """
        if self.prepare is not None:
            self._run(self.prepare)
        run = self._run(self.command(arm))
        self.exit_codes[arm] = run.exit_code
        return {"wall": run.wall_s, "cpu": run.cpu_s, "memory": float(run.peak_bytes)}

    def count(self, arm: Arm) -> Mapping[str, float]:
        """Return nothing: whole programs have no counter that is the same every time."""
        del arm
        return {}

    def check(self) -> Sequence[Guardrail]:
        """Compare what both commands print, when that was asked for."""
        if not self.same_output:
            return ()
        digests = {}
        for arm in Arm:
            self.measure(arm)
            digests[arm] = hashlib.sha256(self.runner.output()[0]).hexdigest()
        same = digests[Arm.A] == digests[Arm.B]
        detail = "both print the same" if same else "A and B print different output"
        return (Guardrail(name="output", passed=same, detail=detail),)

    def close(self) -> None:
        """Stop the helper process."""
        self.runner.close()

    def _run(self, command: str) -> CommandRun:
        try:
            run = self.runner.run(split_command(command))
        except CommandFailedError as error:
            raise CommandFailedError(
                command=command, problem=error.problem, output=error.output
            ) from None
        if run.exit_code and not self.ignore_failure:
            problem = (
                f"ended with exit code {run.exit_code}"
                if run.exit_code > 0
                else f"was ended by signal {-run.exit_code}"
            )
            raise CommandFailedError(
                command=command, problem=problem, output=self.runner.output()[1]
            )
        return run
