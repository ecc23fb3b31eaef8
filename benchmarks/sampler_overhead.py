"""The sampler's cost: what a program loses under it and under other profilers, in wall and CPU.

    .venv/bin/python benchmarks/sampler_overhead.py [--pairs 15] [--block-s 0.4]

Every block of work under a profiler has blocks without one before and after it, in the same
process; `perfwright` is `Profiler(mode="sampling")`. Scalene cannot be switched on in between, so
its processes take turns with bare ones.
Ends with 1 if a bar is missed: sampling at 100 Hz costs a program at most 3 %, in wall and in CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from _profiled import PROFILERS, WORKLOADS
from _rivals import environment, interpreter, versions
from _shared import circumstances, say, table

BAR = 1.03
_LIMIT_S = 300.0
_PROGRAM = Path(__file__).with_name("_profiled.py")
_SOURCE = Path(__file__).parent.parent / "src"

Block = tuple[float, float]
"""Wall and CPU seconds."""


@dataclass(frozen=True, slots=True)
class Ratios:
    """Cost under a profiler over cost without: the median and the quartiles of all pairs."""

    median: float
    low: float
    high: float

    @classmethod
    def of_wall(cls, rows: Sequence[tuple[Block, Block]]) -> Ratios:
        """Compare the time of each block under the profiler with that of its bare neighbours."""
        return cls._of([under[0] / bare[0] for bare, under in _neighbours(rows)])

    @classmethod
    def of_cpu(cls, rows: Sequence[tuple[Block, Block]]) -> Ratios:
        """Compare CPU in the same way, as a share of the time that passes.

        For a program that computes all the time this is the ratio of its CPU; one that mostly
        waits has hardly any to compare with.
        """
        return cls._of([1.0 + (under[1] - bare[1]) / bare[0] for bare, under in _neighbours(rows)])

    @classmethod
    def _of(cls, ratios: list[float]) -> Ratios:
        low, _, high = statistics.quantiles(ratios, n=4)
        return cls(statistics.median(ratios), low, high)

    def __str__(self) -> str:
        """Median, then the quartiles; noisy if they are further apart than the effect."""
        noisy = " noisy" if self.high - self.low > abs(self.median - 1.0) else ""
        return f"{self.median:.3f} ({self.low:.3f}-{self.high:.3f}){noisy}"


def _neighbours(rows: Sequence[tuple[Block, Block]]) -> Iterator[tuple[Block, Block]]:
    """Each block under the profiler, after the mean of the bare ones before and behind it."""
    bare = [row[0] for row in rows]
    for (before, under), behind in zip(rows, [*bare[1:], bare[-1]], strict=True):
        yield ((before[0] + behind[0]) / 2.0, (before[1] + behind[1]) / 2.0), under


def main() -> int:
    """Print the table; 0 if the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--block-s", type=float, default=0.4)
    parser.add_argument("--only", nargs="*", default=[*PROFILERS, "scalene"])
    options = parser.parse_args()
    python = interpreter("profilers")
    print(circumstances("perfwright", "py-spy"))
    print(versions("profilers", "pyinstrument", "yappi", "scalene"))
    print(
        f"{options.pairs} pairs of blocks of {options.block_s} s; median (quartiles) of the ratio"
    )
    rows, missed = [], []
    for workload in WORKLOADS:
        for profiler in options.only:
            say(f"{workload} under {profiler}")
            pairs = _measure(python, workload, profiler, options)
            wall, cpu = Ratios.of_wall(pairs), Ratios.of_cpu(pairs)
            rows.append((workload, profiler, wall, cpu))
            if profiler == "perfwright" and max(wall.median, cpu.median) > BAR:
                missed.append(f"{workload}: wall {wall}, CPU {cpu}")
    print(table(("workload", "profiler", "wall", "CPU over time"), rows))
    print("\n".join(f"MISSED {line}" for line in missed) or f"bars met: at most {BAR}")
    return int(bool(missed))


def _measure(
    python: Path, workload: str, profiler: str, options: argparse.Namespace
) -> list[tuple[Block, Block]]:
    if profiler != "scalene":
        return _run([str(python), str(_PROGRAM)], workload, profiler, options.pairs, options)
    rows: list[tuple[Block, Block]] = []
    with tempfile.TemporaryDirectory() as folder:
        scalene = [str(python), "-m", "scalene", "run", "--cpu-only", "-o", f"{folder}/out.json"]
        for _ in range(max(3, options.pairs // 3)):
            bare = _run([str(python), str(_PROGRAM)], workload, "none", 2, options)
            under = _run([*scalene, str(_PROGRAM), "---"], workload, "none", 2, options)
            rows += [(a[1], b[1]) for a, b in zip(bare, under, strict=True)]
    return rows


def _run(
    command: list[str], workload: str, profiler: str, pairs: int, options: argparse.Namespace
) -> list[tuple[Block, Block]]:
    spy = Path(sys.executable).with_name("py-spy")
    done = subprocess.run(
        [*command, workload, profiler, str(pairs), str(options.block_s)],
        env=environment() | {"PYTHONPATH": str(_SOURCE), "PY_SPY": os.fspath(spy)},
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    results = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not results:
        raise SystemExit(f"{profiler} on {workload} failed:\n{done.stdout}\n{done.stderr}")
    return [(tuple(a), tuple(b)) for a, b in json.loads(results[0].removeprefix("RESULT "))]


if __name__ == "__main__":
    raise SystemExit(main())
