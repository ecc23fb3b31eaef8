"""One profiler over all probes: start, stop, analyze, report."""

from __future__ import annotations

import math
import os
import threading
import warnings
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

from perfwright.core import ConfigError, ProfilerError
from perfwright.profiling import formats
from perfwright.profiling.bottleneck import Bottleneck
from perfwright.profiling.diagnosis import OwnCode, diagnose
from perfwright.profiling.model import Profile
from perfwright.profiling.report import document, text_report
from perfwright.profiling.run import Probes, Run, with_sources
from perfwright.profiling.sampling import Sampler

Mode = Literal["deterministic", "sampling"]
_running: weakref.WeakSet[Profiler] = weakref.WeakSet()
_USUAL_HZ: dict[Mode, float] = {"deterministic": 250.0, "sampling": 100.0}
_USUAL_COST: dict[Mode, float] = {"deterministic": 0.05, "sampling": 0.01}


class Profiler:
    """Finds where a stretch of a program loses time and memory, and why.

    `deterministic` counts every call (cProfile), every allocation (tracemalloc) and every task,
    and samples beside it: the program runs slower meanwhile, and the ranking allows for that.
    `sampling` only looks at the stacks and at the tasks of event loops, and caps what both cost
    together: for production.

    It sees all threads from `start` to `stop`, and event loops whether they were started before or
    after it. Counted are only calls in the thread that started it and in threads begun later.

    Args:
        enable_cpu: Count calls. Stacks are sampled in any case.
        enable_memory: Watch allocations; too dear for `sampling` mode, which ignores it.
        enable_async: Watch event loops and their tasks.
        mode: What it may cost.
        rate_hz: Samples per second; by default 250, in `sampling` mode 100.
        max_cost_ratio: Most processor time that all looks may take, 0 to 1 of the time that passes;
            where it would take more, the rate falls. By default 0.05, in `sampling` mode 0.01.
        own: What may be changed: folders, files, patterns, or names of installed packages; with
            folders, nothing else. By default all code but installed packages and Python's own.
            Time in other code is charged to the function that called it.

    Raises:
        ConfigError: If a setting cannot be used, or everything is switched off.
    """

    def __init__(
        self,
        *,
        enable_cpu: bool = True,
        enable_memory: bool = True,
        enable_async: bool = True,
        mode: Mode = "deterministic",
        rate_hz: float | None = None,
        max_cost_ratio: float | None = None,
        own: Sequence[str | Path] = (),
    ) -> None:
        for field, enabled in (
            ("enable_cpu", enable_cpu),
            ("enable_memory", enable_memory),
            ("enable_async", enable_async),
        ):
            if not isinstance(enabled, bool):
                raise ConfigError(field=field, value=enabled, problem="is True or False")
        if not (enable_cpu or enable_memory or enable_async):
            raise ConfigError(field="enable_cpu", value=False, problem="leaves nothing to profile")
        if mode not in ("deterministic", "sampling"):
            raise ConfigError(field="mode", value=mode, problem="is deterministic or sampling")
        counts = mode == "deterministic"
        self._probes = Probes(
            counting=enable_cpu and counts,
            memory=enable_memory and counts,
            asyncio=enable_async,
            hooks=counts,
            rate_hz=_USUAL_HZ[mode] if rate_hz is None else rate_hz,
            max_cost_ratio=_USUAL_COST[mode] if max_cost_ratio is None else max_cost_ratio,
        )
        # Refuses here what it would refuse at the start of each run.
        Sampler(self._probes.rate_hz, max_cost_ratio=self._probes.max_cost_ratio)
        self._own = own_code((own,) if isinstance(own, str | Path) else own)
        self._lock = threading.Lock()
        self._run: Run | None = None
        self._end: weakref.finalize[[Run], Profiler] | None = None
        self._profile: Profile | None = None
        self._bottlenecks: list[Bottleneck] | None = None

    @classmethod
    def attach(
        cls,
        pid: int,
        *,
        seconds: float = 10.0,
        rate_hz: float = 100.0,
        own: Sequence[str | Path] = (),
    ) -> Self:
        """Look at another Python process of this machine for a while, through py-spy.

        Returns:
            A profiler with that profile, ready for `analyze` and `get_report`.

        Raises:
            AttachError: If the process is not there, may not be looked into, or is not Python.
            ConfigError: If a value is out of its range.
            MissingExtraError: If py-spy is not installed.
        """
        from perfwright.profiling.attach import profile_pid

        profiler = cls(mode="sampling", own=own)
        seen = profile_pid(pid, seconds, rate_hz=rate_hz)
        profiler._profile = with_sources(seen, profiler.own)
        return profiler

    @classmethod
    def load(cls, path: str | Path, *, own: Sequence[str | Path] = ()) -> Self:
        """Take up a profile again that `save` wrote as `.json`.

        Raises:
            ProfilerError: If the file holds no profile.
            OSError: If it cannot be read.
        """
        profiler = cls(mode="sampling", own=own)
        try:
            text = Path(path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ProfilerError(
                problem=f"{path} holds no profile: {error}", remedy="give a file that `save` wrote"
            ) from error
        profiler._profile = formats.from_json(text)
        return profiler

    # --- Running ----------------------------------------------------------------------------------

    @property
    def own(self) -> OwnCode:
        """Which code may be changed."""
        return self._own

    @property
    def is_running(self) -> bool:
        """Whether it has been started and not stopped."""
        return self._run is not None

    def start(self) -> Self:
        """Begin to look; in the thread whose calls are to be counted.

        Raises:
            ProfilerError: If it runs already, or another profiler holds what it needs.
        """
        with self._lock:
            if self._run is not None:
                raise ProfilerError(problem="the profiler is running", remedy="call stop() first")
            if self._probes.hooks and any(each._probes.hooks for each in tuple(_running)):
                raise ProfilerError(
                    problem="another Profiler is running in this process",
                    remedy="stop it first, or use mode='sampling' for one of them",
                )
            run = Run(self._probes)
            run.begin()
            self._run = run
            _running.add(self)
            self._end = weakref.finalize(self, _dropped, run)
            self._end.atexit = False
            self._profile = self._bottlenecks = None
        return self

    def stop(self, *, work: float = 0.0) -> Profile:
        """Look no longer, and return what was seen; in the thread that started it.

        Args:
            work: Requests, items or calls that were done meanwhile, so that profiles of runs of
                different length can be compared.

        Raises:
            ProfilerError: If it was not started; or if it counts calls in another thread that still
                runs: it runs on then.
            ConfigError: If `work` is no number from 0 up: it runs on then.
        """
        if not _is_number(work) or not 0 <= work < math.inf:
            raise ConfigError(field="work", value=work, problem="must be a number from 0 up")
        with self._lock:
            run = self._run
            if run is None:
                raise ProfilerError(problem="the profiler is not running", remedy="call start()")
            run.pause()
            self._forget()
            self._profile = run.end(work=work, own=self._own)
            return self._profile

    def _forget(self) -> None:
        self._run = None
        _running.discard(self)
        if self._end is not None:
            self._end.detach()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop, unless that was done inside the block."""
        if self.is_running:
            self.stop()

    # --- What was seen ----------------------------------------------------------------------------

    @property
    def profile(self) -> Profile:
        """What the last run saw.

        Raises:
            ProfilerError: If no run has ended yet.
        """
        if self._profile is None:
            remedy = "call stop() first" if self.is_running else "call start() and stop() first"
            raise ProfilerError(problem="there is no profile yet", remedy=remedy)
        return self._profile

    def bottlenecks(self) -> list[Bottleneck]:
        """Return what costs most, first: one entry for each function."""
        profile = self.profile
        if self._bottlenecks is None:
            found = diagnose(profile, own=self._own)
            self._bottlenecks = [_completed(each, profile) for each in found]
        return list(self._bottlenecks)

    def analyze(self) -> dict[str, Any]:
        """Return all that was found as data that JSON can hold; seconds and bytes.

        `bottlenecks` has, costliest first, `file`, `line`, `function`, `score` (0 to 100), `kind`,
        `confidence` (0 to 1), `evidence`, `lines`, `self_s`, `cumulative_s`, `awaiting_s`,
        `calls`, `memory_bytes`, `callers`.
        """
        return document(self.profile, self.bottlenecks())

    def save(self, path: str | Path) -> None:
        """Write the profile for other tools; the name says how.

        `.html`: a flame graph for a browser; `.speedscope.json`: for speedscope.app; `.json`: all
        of it, for `load` and `compare`; `.collapsed`: a line for each stack; `.txt`: the report.

        Raises:
            ConfigError: If the name ends in none of these.
            OSError: If it cannot be written.
        """
        Path(path).write_text(self._as(formats.format_of(path)), encoding="utf-8")

    def _as(self, form: formats.Form) -> str:
        match form:
            case "html":
                return formats.to_flamegraph(self.profile, own=self._own.owns)
            case "speedscope":
                return formats.to_speedscope(self.profile.stacks)
            case "json":
                return formats.to_json(self.profile)
            case "collapsed":
                return formats.to_collapsed(self.profile.stacks)
            case "text":
                return self.get_report()

    def get_report(self, *, top_n: int = 10) -> str:
        """Return the costliest bottlenecks as text.

        Raises:
            ConfigError: If `top_n` is no whole number from 1 up.
        """
        check_top_n(top_n)
        return text_report(self.profile, self.bottlenecks(), top_n=top_n)


def _completed(bottleneck: Bottleneck, profile: Profile) -> Bottleneck:
    """Add what is known of the function beside the place and the kind."""
    function = bottleneck.function
    sequences = profile.asyncio.sequences if profile.asyncio is not None else ()
    yields = any(call.yields for call in profile.calls if call.callee == function)
    return replace(
        bottleneck,
        memory_bytes=_memory_bytes(bottleneck, profile),
        awaiting_s=sum(each.awaiting_s for each in sequences if each.function == function),
        calls=None if yields else bottleneck.calls,
    )


def _memory_bytes(bottleneck: Bottleneck, profile: Profile) -> int | None:
    """Return what the function's own lines held when most was held, unless its kind says more."""
    memory = profile.memory
    if memory is None or bottleneck.memory_bytes is not None:
        return bottleneck.memory_bytes
    own = (each for each in memory.at_peak if each.frame.function == bottleneck.function)
    return sum(each.size_bytes for each in own)


def check_top_n(top_n: object) -> None:
    """Refuse what is no number of bottlenecks to show."""
    if not _is_number(top_n) or not isinstance(top_n, int) or top_n < 1:
        raise ConfigError(field="top_n", value=top_n, problem="must be a whole number from 1 up")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def own_code(names: Sequence[str | Path]) -> OwnCode:
    """Read what a user calls own: folders and files that exist, else patterns and packages."""
    listed: object = names
    if not isinstance(listed, Sequence) or not all(isinstance(n, str | Path) for n in listed):
        problem = "must be folders, files, patterns or names of packages"
        raise ConfigError(field="own", value=names, problem=problem)
    places = [Path(name) for name in names if Path(name).exists()]
    # Code knows itself by the path that it was found by, which a symbolic link may be part of.
    paths = (path for place in places for path in (place.absolute(), place.resolve()))
    roots = tuple(dict.fromkeys(str(path) for path in paths))
    others = tuple(str(name) for name in names if not Path(name).exists())
    return OwnCode(roots=roots, named=(*roots, *others))


def _dropped(run: Run) -> None:
    """Leave the program alone when nobody can stop the profiler any longer."""
    run.abandon()
    text = "a Profiler was dropped while it ran; call stop(), or use `with Profiler():`"
    warnings.warn(text, ResourceWarning, stacklevel=2)


def _forget_in_child() -> None:
    """A forked child is not profiled: its probes have let go, and it may start anew."""
    for profiler in tuple(_running):
        profiler._lock = threading.Lock()
        profiler._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
