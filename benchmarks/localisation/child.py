"""Runs the workload of one case in a process of its own, under one profiler; writes what it saw.

Needs nothing but the profiler, so that it runs in any environment. `python child.py CONFIG`, where
CONFIG is JSON: `path` (put first on sys.path), `own` (folders that the user could change),
`profiler`, `out` (file for the answer).
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

Row = dict[str, Any]  # file, line, function, self, cumulative; ours: score, kind


def under_nothing(run: Any, config: Row) -> list[Row]:
    run()
    return []


def under_py_spy(run: Any, config: Row) -> list[Row]:
    print("ready", flush=True)
    sys.stdin.readline()  # the other process has attached
    run()
    return []


def under_tracemalloc(run: Any, config: Row) -> list[Row]:
    """What the run holds at its end and held at its peak, in bytes."""
    import tracemalloc

    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    run()
    after, peak = tracemalloc.get_traced_memory()
    return [{"held": after - before, "peak": peak - before}]


def under_perfwright(run: Any, config: Row) -> list[Row]:
    from perfwright.profiling.profiler import Profiler

    profiler = Profiler(own=config["own"], **config.get("options", {}))
    profiler.start()
    run()
    profiler.stop()
    rows = profiler.analyze()["bottlenecks"]
    keys = ("file", "line", "function", "score", "kind", "evidence")
    return [{key: row[key] for key in keys} for row in rows]


def under_cprofile(run: Any, config: Row) -> list[Row]:
    import cProfile
    import pstats

    profile = cProfile.Profile()
    profile.enable()
    run()
    profile.disable()
    return [
        {"file": file, "line": line, "function": name, "self": own_s, "cumulative": total_s}
        for (file, line, name), (_, _, own_s, total_s, _) in pstats.Stats(profile).stats.items()
    ]


def under_pyinstrument(run: Any, config: Row) -> list[Row]:
    import pyinstrument

    profiler = pyinstrument.Profiler()
    profiler.start()
    run()
    session = profiler.stop()
    seen: dict[tuple[str, int, str], list[float]] = defaultdict(lambda: [0.0, 0.0])

    def walk(frame: Any, above: tuple[tuple[str, int, str], ...]) -> None:
        """Time at synthetic leaves, such as `[self]` and `[await]`, is that of their parent."""
        real = bool(frame.file_path)
        key = (frame.file_path or "~", frame.line_no or 0, frame.function)
        if not real and above and not frame.children:
            seen[above[-1]][0] += frame.time
            return
        seen[key][0] += frame.absorbed_time
        if not frame.children:
            seen[key][0] += frame.time
        if key not in above:
            seen[key][1] += frame.time
        for child in frame.children:
            walk(child, (*above, key))

    root = session.root_frame(trim_stem=False)
    if root is not None:
        walk(root, ())
    return [
        {"file": file, "line": line, "function": name, "self": own_s, "cumulative": total_s}
        for (file, line, name), (own_s, total_s) in seen.items()
    ]


def under_yappi(run: Any, config: Row) -> list[Row]:
    import yappi

    yappi.set_clock_type("wall")
    yappi.start()
    run()
    yappi.stop()
    return [
        {
            "file": stat.module,
            "line": stat.lineno,
            "function": stat.name,
            "self": stat.tsub,
            "cumulative": stat.ttot,
        }
        for stat in yappi.get_func_stats()
    ]


PROFILERS = {
    "none": under_nothing,
    "tracemalloc": under_tracemalloc,
    "py-spy": under_py_spy,
    "perfwright": under_perfwright,
    "cProfile": under_cprofile,
    "pyinstrument": under_pyinstrument,
    "yappi": under_yappi,
}


def main() -> None:
    config = json.loads(sys.argv[1])
    sys.modules.update(dict.fromkeys(("numpy", "scipy")))  # not there for any, so for no profiler
    sys.path[:0] = config["path"]
    sys.argv[1:] = []  # frameworks look there
    workload = importlib.import_module("workload")
    results = []

    def run() -> None:
        results.append(workload.run())

    wall_s, cpu_s = time.perf_counter(), time.process_time()
    rows = PROFILERS[config["profiler"]](run, config)
    answer = {
        "rows": rows,
        "wall_s": time.perf_counter() - wall_s,
        "cpu_s": time.process_time() - cpu_s,
        "digest": hashlib.sha256(repr(results).encode()).hexdigest(),
    }
    Path(config["out"]).write_text(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # what a workload left running is no part of it


if __name__ == "__main__":
    main()
