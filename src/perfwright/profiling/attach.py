"""A look into another Python process, through py-spy as a child of ours."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from perfwright.core import Clock, SystemClock
from perfwright.core.errors import AttachError, ConfigError, MissingExtraError
from perfwright.core.processes import is_alive
from perfwright.profiling.formats import from_speedscope
from perfwright.profiling.model import Frame, Profile, SamplerCost, Stack

IDLE_SHARE = 0.25
"""Of the time is spent on looks that also see threads which stand still."""

_WATCH_S = 0.2
_START_S = 1.0
"""CPU that py-spy may take to read a program's symbols before its cost is judged."""
_GRACE_S = 20.0
_LEAST_S = 0.2
_LEAST_HZ = 1.0


def profile_pid(
    pid: int,
    seconds: float,
    *,
    rate_hz: float = 100.0,
    idle: bool = True,
    nonblocking: bool = False,
    max_cost_ratio: float = 0.1,
    clock: Clock | None = None,
) -> Profile:
    """Sample another process of this machine for a while; it need not know.

    Threads that run are looked at for the first three quarters of the time, then all threads:
    py-spy does not mark which of them stand still, so what stands still is the difference, and
    only stacks for which that difference is beyond the noise of sampling are reported as waiting.

    Args:
        pid: Of a CPython process.
        seconds: How long.
        rate_hz: Looks per second, 1 to 1000; halved while py-spy costs too much.
        idle: Whether to look at waiting threads as well; otherwise all the time goes to the
            running ones.
        nonblocking: Do not stop the process for each look: cheaper for it, and now and then a
            stack is wrong.
        max_cost_ratio: Most CPU that py-spy may take after its start, as a share (0 to 1) of the
            time that passes.
        clock: Seconds.

    Returns:
        What was seen; less than `seconds` of it if the process ended before.

    Raises:
        ConfigError: If a value is out of its range.
        MissingExtraError: If py-spy is not installed.
        AttachError: If the process is not there, may not be looked into, or is not Python.
    """
    _check("pid", pid, least=1, most=2**31)
    _check("seconds", seconds, least=_LEAST_S, most=86_400.0)
    _check("rate_hz", rate_hz, least=_LEAST_HZ, most=1000.0)
    _check("max_cost_ratio", max_cost_ratio, least=1e-3, most=4.0)
    if not is_alive(pid):
        raise AttachError(pid=pid, problem="does not exist", remedy="check the id with ps")
    spy = _Spy(pid, _program(), nonblocking, max_cost_ratio, clock or SystemClock())
    spy.rate_hz = rate_hz
    cpu_before_s = _cpu_s(pid)
    begun_s = spy.clock.now()
    running = spy.record(seconds * (1.0 - IDLE_SHARE * idle), idle=False)
    everything = spy.record(seconds * IDLE_SHARE, idle=True) if idle and is_alive(pid) else None
    wall_s = spy.clock.now() - begun_s
    cpu_s = (_cpu_s(pid) or 0.0) - (cpu_before_s or 0.0)
    stacks = _scaled(running.stacks, wall_s, seen_s=running.seconds)
    if everything is not None:
        stacks += _waiting(running, everything, wall_s=wall_s)
    return Profile(
        wall_s=wall_s,
        cpu_s=cpu_s if cpu_s > 0.0 else sum(stack.cpu_s for stack in stacks),
        stacks=tuple(stacks),
        cost=SamplerCost(cpu_s=spy.cpu_s, rate_hz=spy.rate_hz, wanted_hz=rate_hz),
    )


@dataclass(slots=True)
class _Recording:
    stacks: list[Stack]
    seconds: float


@dataclass(slots=True)
class _Spy:
    """Runs py-spy, one recording after another, and watches what it costs."""

    pid: int
    program: str
    nonblocking: bool
    max_cost_ratio: float
    clock: Clock
    rate_hz: float = 100.0
    cpu_s: float = 0.0

    def record(self, seconds: float, *, idle: bool) -> _Recording:
        """Record for about `seconds`, in pieces if the rate has to be lowered on the way."""
        found = _Recording([], 0.0)
        while seconds - found.seconds >= min(_LEAST_S, seconds):
            piece = self._piece(seconds - found.seconds, idle=idle)
            found.stacks += piece.stacks
            found.seconds += piece.seconds
            if piece.seconds <= 0.0 or not is_alive(self.pid):
                break
        return found

    def _piece(self, seconds: float, *, idle: bool) -> _Recording:
        with tempfile.TemporaryDirectory(prefix="perfwright-") as folder:
            output = Path(folder, "out.json")
            child = subprocess.Popen(
                self._command(seconds, output=output, idle=idle),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
            hz = self.rate_asked_hz
            try:
                said, passed_s, ended_by_us = self._watch(child, seconds)
            finally:
                if child.poll() is None:
                    child.kill()
                    child.communicate()
            if output.exists() and output.stat().st_size:
                stacks = _in_seconds(from_speedscope(output.read_text()), hz=hz)
                return _Recording(stacks, min(seconds, passed_s))
        if not ended_by_us:
            raise _refusal(self.pid, said)
        return _Recording([], passed_s)  # it had not even begun to sample

    @property
    def rate_asked_hz(self) -> int:
        """Py-spy takes whole numbers."""
        return max(1, round(self.rate_hz))

    def _command(self, seconds: float, *, output: Path, idle: bool) -> list[str]:
        command = [self.program, "record", "--pid", str(self.pid), "--output", str(output)]
        command += ["--format", "speedscope", "--threads", "--full-filenames"]
        command += ["--duration", str(max(1, round(seconds))), "--rate", str(self.rate_asked_hz)]
        return command + ["--idle"] * idle + ["--nonblocking"] * self.nonblocking

    def _watch(self, child: subprocess.Popen[str], seconds: float) -> tuple[str, float, bool]:
        """Wait for the child; end it early, and halve the rate, if it costs too much.

        Returns:
            What it said, the seconds it took, and whether it was told to end.
        """
        begun_s = self.clock.now()
        spent_s, told, said = 0.0, False, ""
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                said = child.communicate(timeout=_WATCH_S)[1]
                break
            passed_s = self.clock.now() - begun_s
            spent_s = _cpu_s(child.pid) or spent_s
            dear = spent_s - _START_S > self.max_cost_ratio * passed_s and self.rate_hz > _LEAST_HZ
            if not told and (dear or passed_s >= seconds):
                child.send_signal(signal.SIGINT)  # it writes what it has
                told = True
                if dear:
                    self.rate_hz = max(_LEAST_HZ, self.rate_hz / 2.0)
            if passed_s > seconds + _GRACE_S:
                raise AttachError(
                    pid=self.pid,
                    problem=f"py-spy has not ended after {passed_s:.0f} s",
                    remedy="try again with nonblocking=True or a lower rate_hz",
                )
        self.cpu_s += spent_s
        return said, self.clock.now() - begun_s, told


def _check(field: str, value: float, *, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(field=field, value=value, problem="must be a number")
    if not least <= value <= most:
        raise ConfigError(field=field, value=value, problem=f"must be from {least:g} to {most:g}")


def find_py_spy() -> str | None:
    """Return the path of py-spy: beside this interpreter, else the first one on PATH."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


def _program() -> str:
    found = find_py_spy()
    if found is None:
        raise MissingExtraError(feature="profiling another process", extra="attach")
    return found


def _cpu_s(pid: int) -> float | None:
    """CPU seconds of a process so far; None where `/proc` does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    user, system = text.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _refusal(pid: int, said: str) -> AttachError:
    lowered = said.lower()
    if "permission denied" in lowered or "operation not permitted" in lowered:
        return AttachError(
            pid=pid,
            problem="the system does not let us look into it",
            remedy="run as root, or give the container CAP_SYS_PTRACE (docker run --cap-add "
            "SYS_PTRACE), or set kernel.yama.ptrace_scope=0; or use Sampler inside the process",
        )
    if not is_alive(pid):
        return AttachError(
            pid=pid, problem="ended before a sample was taken", remedy="attach to it earlier"
        )
    reason = next((line for line in said.splitlines() if line.startswith("Error")), said[:200])
    return AttachError(
        pid=pid,
        problem=f"py-spy finds no Python in it ({reason.strip() or 'no reason given'})",
        remedy="give the id of a CPython process, not of a shell or a launcher",
    )


def _in_seconds(stacks: tuple[Stack, ...], *, hz: int) -> list[Stack]:
    return [
        replace(
            item,
            frames=_without_thread(item.frames),
            wall_s=item.samples / hz,
            cpu_s=item.samples / hz,
        )
        for item in stacks
    ]


def _without_thread(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Py-spy puts the thread before its outermost function."""
    is_thread = frames and frames[0].line == 0 and frames[0].function.name.startswith("thread (")
    return frames[1:] if is_thread else frames


def _scaled(stacks: list[Stack], wall_s: float, *, seen_s: float) -> list[Stack]:
    """Stretch a part of the time to all of it."""
    factor = wall_s / seen_s if seen_s > 0.0 else 1.0
    return [
        replace(item, wall_s=item.wall_s * factor, cpu_s=item.cpu_s * factor) for item in stacks
    ]


def _waiting(running: _Recording, everything: _Recording, *, wall_s: float) -> list[Stack]:
    """Tell what stands still: seen when all threads are looked at, and not so often running."""
    from perfwright.profiling.sampling.states import standing_still

    if not everything.seconds or not running.seconds:
        return []
    part = everything.seconds / running.seconds
    ran: Counter[tuple[str, tuple[Frame, ...]]] = Counter()
    threads: Counter[str] = Counter()
    for stack in running.stacks:
        ran[stack.thread, stack.frames] += stack.samples
        threads[stack.thread] += stack.samples
    seen: Counter[str] = Counter()
    for stack in everything.stacks:
        seen[stack.thread] += stack.samples
    found = []
    for stack in everything.stacks:
        still = _beyond_chance(stack.samples, ran[stack.thread, stack.frames] * part, part=part)
        # A thread that was always running did not wait, wherever it was seen this time.
        if still and _beyond_chance(seen[stack.thread], threads[stack.thread] * part, part=part):
            seconds = stack.wall_s * still / stack.samples * wall_s / everything.seconds
            state = standing_still(stack.frames)
            found.append(
                replace(stack, state=state, samples=round(still), wall_s=seconds, cpu_s=0.0)
            )
    return found


def _beyond_chance(count: int, expected: float, *, part: float) -> float:
    """Return how many more were counted than expected; 0 if that may be chance.

    Three standard deviations of the difference of two Poisson counts; what was expected comes from
    a count that was `1 / part` as large.
    """
    more = count - expected
    return more if more > 3.0 * (expected + expected * part) ** 0.5 else 0.0
