"""`python -m perfwright.profiling`: a script or module from its first line, or a living process."""

from __future__ import annotations

import argparse
import runpy
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from perfwright.core.errors import ConfigError, PerfwrightError
from perfwright.profiling.formats import format_of

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
        for path in options.output:
            format_of(path)  # refused now rather than after the run
        if options.pid is not None:
            return _attach(options)
        return _profile(options)
    except (PerfwrightError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return _ERROR


def _attach(options: argparse.Namespace) -> int:
    from perfwright.profiling.profiler import Profiler

    profiler = Profiler.attach(
        options.pid, seconds=options.seconds, rate_hz=options.rate or 100.0, own=options.own
    )
    _deliver(profiler, options)
    return 0


def _profile(options: argparse.Namespace) -> int:
    from perfwright.profiling.profiler import Profiler

    profiler = Profiler(
        mode=options.mode,
        rate_hz=options.rate,
        own=options.own,
        enable_memory=not options.no_memory,
    )
    if not options.module and not Path(options.program).exists():
        raise ConfigError(field="program", value=options.program, problem="there is no such file")
    # What the program sees is what it would see alone: its name, its arguments, its folder.
    sys.argv = [options.program, *options.arguments]
    sys.path[0] = "" if options.module else str(Path(options.program).absolute().parent)
    profiler.start()
    try:
        return _run(options)
    finally:
        profiler.stop()
        _deliver(profiler, options)


def _run(options: argparse.Namespace) -> int:
    try:
        if options.module:
            runpy.run_module(options.program, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(options.program, run_name="__main__")
    except SystemExit as end:
        return _exit_code(end)
    except Exception:  # noqa: BLE001 - whatever the program fails with, as the interpreter would
        traceback.print_exc()
        return 1
    return 0


def _exit_code(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return 1


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
    parser.add_argument("--mode", choices=("deterministic", "sampling"), default="deterministic")
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
