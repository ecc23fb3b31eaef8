"""One run of all probes together, from the first start to the last stop."""

from __future__ import annotations

import linecache
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perfwright.core import ProfilerError
from perfwright.profiling import dilation
from perfwright.profiling.arguments import ArgumentProbe
from perfwright.profiling.counting_cost import measure_counting
from perfwright.profiling.growing_texts import COPIES_TEXT, GrowingTexts
from perfwright.profiling.model import Async, Call, Function, Profile, Stack
from perfwright.profiling.program import calls_inside, inside
from perfwright.profiling.reconstruction import ENOUGH_SAMPLES, LONG_S, stacks_of
from perfwright.profiling.sampling import Sampler
from perfwright.profiling.traced import TracedStacks

if TYPE_CHECKING:
    from perfwright.profiling.asynchronous import AsyncProbe, LookProbe
    from perfwright.profiling.counting import CallCounter
    from perfwright.profiling.diagnosis import OwnCode
    from perfwright.profiling.memory import MemoryProbe

MAX_SOURCE_CHARACTERS = 4 * 1024 * 1024
"""Files that are longer are data more often than programs, and are cut."""

_LOOPS_SHARE = 0.35
"""Of what sampling may cost, for the tasks of event loops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """Which probes take part; the sampler always does."""

    counting: bool
    memory: bool
    asyncio: bool
    hooks: bool
    """Whether anything may be put in the program's way; else it is only looked at."""
    rate_hz: float
    max_cost_ratio: float


class Run:
    """Probes at work."""

    def __init__(self, probes: Probes) -> None:
        self._asyncio = _async_probe(probes) if probes.asyncio else None
        self._arguments = ArgumentProbe() if probes.counting else None
        self._counting = _call_counter() if probes.counting else None
        hooks = (
            GrowingTexts(self._counting) if self._counting is not None and COPIES_TEXT else None,
            self._arguments,
            self._asyncio.on_tick if self._asyncio is not None else None,
        )
        self._sampler = Sampler(
            probes.rate_hz,
            max_cost_ratio=probes.max_cost_ratio,
            on_tick=[hook for hook in hooks if hook is not None],
        )
        self._traced = TracedStacks(lambda: map(inside, self._sampler.stacks()))
        self._memory = self._memory_probe() if probes.memory else None
        self._start_wall_s = self._start_cpu_s = 0.0

    def begin(self) -> None:
        """Start all probes, or none.

        Raises:
            ProfilerError: If one of them cannot work now.
        """
        try:
            for probe in self._all():
                if probe is self._sampler:  # nothing it or the counter sees lies outside of the run
                    self._start_wall_s = time.perf_counter()
                    self._start_cpu_s = time.process_time()
                probe.start()
        except BaseException:
            self.abandon()
            raise

    def pause(self) -> None:
        """Count no more calls.

        Raises:
            ProfilerError: If only another thread can do that.
        """
        if self._counting is not None:
            self._counting.pause()

    def end(self, *, own: OwnCode, work: float) -> Profile:
        """Stop all probes, last first, and return what they saw, with the source of own code."""
        try:
            profile = self._seen(work)
        except BaseException:
            self.abandon()
            raise
        profile = with_sources(self._untraced(profile), own)
        if self._counting is None:
            return profile
        if _says_little(profile):
            return replace(profile, stacks=stacks_of(profile.calls))
        return _corrected(profile)

    def _seen(self, work: float) -> Profile:
        self.pause()
        wall_s = time.perf_counter() - self._start_wall_s
        cpu_s = time.process_time() - self._start_cpu_s
        seen_stacks = (inside(stack) for stack in self._sampler.stop() if not _is_ours(stack))
        stacks = tuple(stack for stack in seen_stacks if stack.frames)
        # Before the other probes make their results, which are no memory of the program.
        memory = self._memory.stop() if self._memory is not None else None
        seen = self._asyncio.stop() if self._asyncio is not None else None
        return Profile(
            wall_s=wall_s,
            cpu_s=cpu_s,
            stacks=stacks,
            calls=self._calls(seen),
            arguments=self._arguments.result() if self._arguments is not None else (),
            asyncio=seen,
            memory=memory,
            cost=self._sampler.cost,
            work=work,
        )

    def _calls(self, seen: Async | None) -> tuple[Call, ...]:
        if self._counting is None:
            return ()
        from perfwright.profiling.counting import started_calls

        resumed = {each.function: each.count for each in seen.resumed} if seen is not None else {}
        return calls_inside(started_calls(self._counting.stop(), resumed))

    def _untraced(self, profile: Profile) -> Profile:
        """Take out what tracing allocations added."""
        memory = profile.memory
        if memory is None or not memory.slowdown:
            return profile
        stacks = self._traced.without(profile.stacks, slowdown=memory.slowdown)
        added_s = _cpu_s(profile.stacks) - _cpu_s(stacks)
        return replace(
            profile,
            stacks=stacks,
            wall_s=max(0.0, profile.wall_s - added_s),
            cpu_s=max(0.0, profile.cpu_s - added_s),
            tracing_s=added_s,
        )

    def _memory_probe(self) -> MemoryProbe:
        from perfwright.profiling.memory import MemoryProbe

        return MemoryProbe(
            done=self._counting.total if self._counting is not None else None,
            on_trace=self._traced.turn,
        )

    def _all(self) -> list[MemoryProbe | AsyncProbe | LookProbe | Sampler | CallCounter]:
        """Return the probes in the order in which they start.

        The first one imports asyncio, which is no memory of the program, and the last one would
        count what the others do.
        """
        probes = (self._asyncio, self._memory, self._sampler, self._counting)
        return [probe for probe in probes if probe is not None]

    def abandon(self) -> None:
        """Stop what still runs: a program must not stay slow because one probe failed."""
        for probe in self._all():
            if probe.running:
                with suppress(ProfilerError):  # the failure that led here is told already
                    probe.stop()


def with_sources(profile: Profile, own: OwnCode) -> Profile:
    """Add the text of the files that own functions are in, as it is now."""
    return replace(profile, sources=dict(_sources(profile, own)))


def _is_ours(stack: Stack) -> bool:
    """Whether a stack is of a thread that watches for the profiler."""
    return stack.thread.startswith("perfwright-")


def _says_little(profile: Profile) -> bool:
    """Whether too few samples were taken."""
    at_work = [stack for stack in profile.stacks if stack.state in ("running", "waiting")]
    is_long = profile.cpu_s >= LONG_S and _cpu_s(at_work) > 0.5 * profile.cpu_s
    return sum(stack.samples for stack in at_work) < (2 if is_long else ENOUGH_SAMPLES)


def _cpu_s(stacks: Iterable[Stack]) -> float:
    return sum(stack.cpu_s for stack in stacks)


def _corrected(profile: Profile) -> Profile:
    """Take out what counting calls added."""
    stacks = dilation.without_counting(
        profile.stacks,
        profile.calls,
        cost=measure_counting(),
        sources=profile.sources,
    )
    added_s = _cpu_s(profile.stacks) - _cpu_s(stacks)
    looks_s = profile.cost.cpu_s  # many, in a run that was made long
    return replace(
        profile,
        stacks=stacks,
        wall_s=max(0.0, profile.wall_s - added_s),
        cpu_s=max(0.0, profile.cpu_s - added_s - looks_s),
        counting_s=added_s,
    )


def _async_probe(probes: Probes) -> AsyncProbe | LookProbe:
    """Make a probe that looks when the sampler does."""
    from perfwright.profiling.asynchronous import AsyncProbe, LookProbe

    if probes.hooks:
        return AsyncProbe(
            watch=False, max_cost_ratio=None if probes.counting else probes.max_cost_ratio
        )
    # Its looks are part of the sampler's cost, which is bounded as a whole.
    return LookProbe(max_cost_ratio=_LOOPS_SHARE * probes.max_cost_ratio)


def _call_counter() -> CallCounter:
    from perfwright.profiling.counting import CallCounter

    return CallCounter()


def _sources(profile: Profile, own: OwnCode) -> Iterator[tuple[str, str]]:
    for file in sorted({function.file for function in _functions(profile)}):
        if own.owns_file(file) and (text := _text(file)):
            yield file, text


def _text(file: str) -> str:
    """Return the source of a file, as the interpreter's own tracebacks would find it."""
    if not linecache.getlines(file):
        _ask_loader(file)
    return "".join(linecache.getlines(file))[:MAX_SOURCE_CHARACTERS]


def _ask_loader(file: str) -> None:
    """Let the module's loader give its source, as that of a zip file can."""
    for module in tuple(sys.modules.values()):
        names = getattr(module, "__dict__", {})
        if names.get("__file__") == file and linecache.lazycache(file, names):
            return


def _functions(profile: Profile) -> Iterator[Function]:
    for stack in profile.stacks:
        yield from (frame.function for frame in stack.frames)
    yield from (call.callee for call in profile.calls)
    if (memory := profile.memory) is not None:
        yield from (each.frame.function for each in (*memory.growth, *memory.at_peak))
        yield from (leak.frame.function for leak in memory.leaks)
    if (seen := profile.asyncio) is not None:
        yield from (times.function for times in seen.tasks)
        yield from (sequence.function for sequence in seen.sequences)
        yield from (site.frame.function for site in seen.sites)
        for block in seen.blocks:
            yield from (frame.function for frame in block.frames)
