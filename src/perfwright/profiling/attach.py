"""A look into another Python process, through py-spy as a child of ours."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from perfwright.core import Clock, SystemClock
from perfwright.core.errors import AttachError, ConfigError, MissingExtraError
from perfwright.core.processes import is_alive
from perfwright.profiling.formats import from_speedscope
from perfwright.profiling.model import Frame, Profile, SamplerCost, Stack
from perfwright.profiling.py_spy import Run, cpu_s_of

IDLE_SHARE = 0.25
"""Of the time is spent on looks that also see threads which stand still."""

_WATCH_S = 0.2
_START_S = 10.0
"""CPU that py-spy may take to read a program's symbols."""
_GRACE_S = 20.0
_LEAST_S = 0.2
_LEAST_HZ = 1.0
_THREAD = re.compile(r"thread \((\d+)\)")


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
        seconds: How long, without the start of py-spy, which reads the program's symbols first.
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
    is_told = cpu_s_of(pid) is not None
    running = spy.record(seconds * (1.0 - IDLE_SHARE * idle), idle=False)
    everything = _Recording()
    if idle and is_alive(pid):
        everything = spy.record(seconds * IDLE_SHARE, idle=True)
    wall_s = running.seconds + everything.seconds
    cpu_s = running.cpu_s + everything.cpu_s if is_told else None
    stacks = _scaled(running.stacks, wall_s, seen_s=running.seconds)
    stacks += _waiting(running, everything, wall_s=wall_s)
    return Profile(
        wall_s=wall_s,
        cpu_s=sum(stack.cpu_s for stack in stacks) if cpu_s is None else cpu_s,
        stacks=tuple(stacks),
        cost=SamplerCost(cpu_s=spy.cpu_s, rate_hz=spy.rate_hz, wanted_hz=rate_hz),
    )


@dataclass(slots=True)
class _Recording:
    stacks: list[Stack] = field(default_factory=list)
    seconds: float = 0.0
    looks: float = 0.0
    """About how many were taken in these seconds."""
    cpu_s: float = 0.0
    """Of the process looked at, in these seconds."""

    def add(self, piece: _Recording) -> None:
        self.stacks += piece.stacks
        self.seconds += piece.seconds
        self.looks += piece.looks
        self.cpu_s += piece.cpu_s


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
    saw: bool = False
    """Whether there is anything to give if the process has ended."""

    def record(self, seconds: float, *, idle: bool) -> _Recording:
        """Record for about `seconds`, in pieces if the rate has to be lowered on the way."""
        found = _Recording()
        while seconds - found.seconds >= min(_LEAST_S, seconds):
            piece = self._piece(seconds - found.seconds, idle=idle)
            found.add(piece)
            if piece.seconds <= 0.0 or not is_alive(self.pid):
                break
        return found

    def _piece(self, seconds: float, *, idle: bool) -> _Recording:
        hz = self.rate_asked_hz
        with tempfile.TemporaryDirectory(prefix="perfwright-") as folder:
            output = Path(folder, "out.json")
            run = self._run(self._command(seconds, output=output, idle=idle), seconds)
            if output.exists() and output.stat().st_size:
                self.saw = True
                return _recording(output.read_text(), run, hz=hz, idle=idle)
        if self.saw and not is_alive(self.pid):
            return _Recording()
        if not run.told or not is_alive(self.pid):
            raise _refusal(self.pid, run.said)
        raise AttachError(
            pid=self.pid,
            problem=f"py-spy took no sample in {run.seconds:.1f} s",
            remedy="try again with more seconds",
        )

    @property
    def rate_asked_hz(self) -> int:
        """Py-spy takes whole numbers."""
        return max(1, round(self.rate_hz))

    def _command(self, seconds: float, *, output: Path, idle: bool) -> list[str]:
        command = [self.program, "record", "--pid", str(self.pid), "--output", str(output)]
        command += ["--format", "speedscope", "--threads", "--full-filenames"]
        longest_s = math.ceil(seconds) + 1  # we end it, but we may be killed before
        command += ["--duration", str(longest_s), "--rate", str(self.rate_asked_hz)]
        return command + ["--idle"] * idle + ["--nonblocking"] * self.nonblocking

    def _run(self, command: list[str], seconds: float) -> Run:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as child:
            try:
                run = Run(self.pid, child, clock=self.clock, free_s=_START_S)
                self._watch(run, seconds)
            finally:
                child.kill()
        self.cpu_s += run.spent_s
        return run

    def _watch(self, run: Run, seconds: float) -> None:
        """Listen until py-spy ends; end it early, and halve the rate, if it costs too much."""
        while run.listen(min(_WATCH_S, run.left_s(seconds))):
            dear = run.judged_s > self.max_cost_ratio * run.seconds and self.rate_hz > _LEAST_HZ
            if not run.told and (dear or run.left_s(seconds) <= 0.0):
                run.end()
                if dear:
                    self.rate_hz = max(_LEAST_HZ, self.rate_hz / 2.0)
            if run.passed_s > seconds + _GRACE_S:
                raise AttachError(
                    pid=self.pid,
                    problem=f"py-spy has not ended after {run.passed_s:.0f} s",
                    remedy="try again with nonblocking=True or a lower rate_hz",
                )


def _recording(text: str, run: Run, *, hz: int, idle: bool) -> _Recording:
    stacks = from_speedscope(text)
    most = max((len(item["samples"]) for item in json.loads(text)["profiles"]), default=0)
    # A look at all threads sees the main thread each time; one at running threads need not.
    looks = float(most) if idle and most else max(run.looks(hz=hz), float(most))
    each_s = run.seconds / looks if looks else 0.0
    threads = {number: stack.thread for stack in stacks if (number := _thread_number(stack))}
    ready_s: defaultdict[str, float] = defaultdict(float)
    for number, thread in threads.items():
        ready_s[thread] += run.ready_s.get(number, math.inf)  # of an unknown one, anything goes
    shown = _in_seconds(stacks, each_s=each_s)
    return _Recording(shown if idle else _within(shown, ready_s), run.seconds, looks, run.cpu_s)


def _within(stacks: list[Stack], ready_s: Mapping[str, float]) -> list[Stack]:
    """Take from each thread the time beyond that in which it could run.

    A look that stops the process wakes its threads, and until a busy machine has a processor for
    them, they look as ready to run as one that computes.
    """
    seen_s: defaultdict[str, float] = defaultdict(float)
    for stack in stacks:
        seen_s[stack.thread] += stack.wall_s
    part = {name: min(1.0, ready_s.get(name, math.inf) / s) for name, s in seen_s.items()}
    return [
        replace(
            stack,
            samples=samples,
            wall_s=stack.wall_s * part[stack.thread],
            cpu_s=stack.cpu_s * part[stack.thread],
        )
        for stack in stacks
        if (samples := round(stack.samples * part[stack.thread]))
    ]


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


def _in_seconds(stacks: tuple[Stack, ...], *, each_s: float) -> list[Stack]:
    return [
        replace(
            item,
            frames=_without_thread(item.frames),
            wall_s=item.samples * each_s,
            cpu_s=item.samples * each_s,
        )
        for item in stacks
    ]


def _thread_number(stack: Stack) -> int:
    """The system's number of its thread, from the frame that py-spy adds; 0 if there is none."""
    found = _THREAD.match(stack.frames[0].function.name) if stack.frames else None
    return int(found[1]) if found else 0


def _without_thread(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Py-spy puts the thread before its outermost function."""
    is_thread = frames and frames[0].line == 0 and _THREAD.match(frames[0].function.name)
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

    if not everything.looks or not running.looks:
        return []
    part = everything.looks / running.looks
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
            seconds = still / everything.looks * wall_s
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
