"""`python -m perfwright.profiling`: a script or module from its first line, or a living process."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from perfwright.core.errors import ConfigError, PerfwrightError
from perfwright.profiling.formats import format_of
from perfwright.profiling.program import Program

if TYPE_CHECKING:
    from perfwright.profiling.profiler import Profiler

_ERROR = 2


def main() -> int:
    """Profile what is asked for; returns the program's own exit code, or 2 for an error of ours."""
    parser = _parser()
    options = parser.parse_args()
    if (options.program is None) == (options.pid is None):
        parser.error("give a program, or --pid")
    try:
        _check(options)  # refused now rather than after the run
        if options.pid is not None:
            return _attach(options)
        return _profile(options)
    except (PerfwrightError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return _ERROR


def _check(options: argparse.Namespace) -> None:
    from perfwright.profiling.profiler import check_top_n

    for path in options.output:
        format_of(path)
        folder = Path(path).absolute().parent
        if not folder.is_dir() or not os.access(folder, os.W_OK) or Path(path).is_dir():
            raise ConfigError(field="output", value=path, problem="cannot be written there")
    check_top_n(options.top)
    if options.pid is not None and options.mode is not None:
        problem = "is for a program that is started here; another process is always sampled"
        raise ConfigError(field="mode", value=options.mode, problem=problem)


def _attach(options: argparse.Namespace) -> int:
    from perfwright.profiling.profiler import Profiler

    profiler = Profiler.attach(
        options.pid,
        seconds=options.seconds,
        rate_hz=100.0 if options.rate is None else options.rate,
        own=options.own,
    )
    _deliver(profiler, options)
    return 0


def _profile(options: argparse.Namespace) -> int:
    from perfwright.profiling.profiler import Profiler

    profiler = Profiler(
        mode=options.mode or "deterministic",
        rate_hz=options.rate,
        own=options.own,
        enable_memory=not options.no_memory,
    )
    # Its module lives until the profiler has looked at what it keeps.
    program = Program(options.program, is_module=options.module)
    profiler.start()
    try:
        return program.run(options.arguments)
    finally:
        if profiler.is_running:  # not in a child that the program forked
            profiler.stop()
            _deliver(profiler, options)


def _deliver(profiler: Profiler, options: argparse.Namespace) -> None:
    """Write the files that were asked for; standard output belongs to the program."""
    for path in options.output:
        profiler.save(path)
    if not options.output:
        sys.stderr.write(profiler.get_report(top_n=options.top))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m perfwright.profiling",
        description="Say where a program loses its time and memory, and why.",
    )
    parser.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        help="write the profile here instead of a report: .html, .json, .speedscope.json, "
        ".collapsed or .txt; repeatable",
    )
    parser.add_argument("--mode", choices=("deterministic", "sampling"))
    parser.add_argument("--rate", type=float, help="samples per second")
    parser.add_argument("--own", action="append", default=[], help="code that may be changed")
    parser.add_argument("--no-memory", action="store_true", help="do not watch allocations")
    parser.add_argument("--top", type=int, default=10, help="how many bottlenecks are shown")
    parser.add_argument("--pid", type=int, help="look at this process instead, through py-spy")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long, with --pid")
    parser.add_argument("-m", dest="module", action="store_true", help="PROGRAM is a module")
    parser.add_argument("program", nargs="?")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


if __name__ == "__main__":
    sys.exit(main())
