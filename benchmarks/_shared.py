"""What the benchmarks share: shares with intervals, tables, the machine's name, background load."""

from __future__ import annotations

import math
import os
import platform
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

_Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` out of `of`, printed as a percentage with its 95 % interval."""

    hits: int
    of: int

    @property
    def ratio(self) -> float:
        """The share itself, 0 to 1; nothing out of nothing is nothing."""
        return self.hits / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds of the true share, 0 to 1.

        Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927).
        """
        if not self.of:
            return 0.0, 1.0
        square = _Z_95 * _Z_95 / self.of
        centre = self.ratio + square / 2.0
        reach = math.sqrt(square * (self.ratio * (1.0 - self.ratio) + square / 4.0))
        low, high = ((centre + side * reach) / (1.0 + square) for side in (-1.0, 1.0))
        return max(0.0, low), min(1.0, high)

    def __str__(self) -> str:
        """Percent, then the interval: `0.4 % (0.2-1.0)`."""
        low, high = self.interval
        return f"{100 * self.ratio:.1f} % ({100 * low:.1f}-{100 * high:.1f})"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay rows out as an aligned Markdown table, so that a result can be pasted into the docs."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join((lines[0], rule, *lines[1:]))


def circumstances(*packages: str) -> str:
    """One line: date, CPUs, load, kernel, Python, and the versions of `packages`."""
    parts = (
        datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        f"{os.cpu_count()} CPUs",
        f"load {os.getloadavg()[0]:.1f}",
        f"{platform.system()} {platform.release()} {platform.machine()}",
        f"{platform.python_implementation()} {platform.python_version()}",
        *(f"{package} {_version(package)}" for package in packages),
    )
    return ", ".join(parts)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(from the checkout)"


def say(line: str) -> None:
    """Report progress on standard error, so that standard output holds the result alone."""
    print(line, file=sys.stderr, flush=True)


# Alternates between computing and waiting, for random stretches, until its time is up or its
# parent is gone: whatever happens to the benchmark, nothing is left running.
_BUSY = """
import os, random, sys, time
seed, shortest_s, longest_s, limit_s = map(float, sys.argv[1:])
rng, parent = random.Random(seed), os.getppid()
end = time.monotonic() + limit_s
busy = True
while time.monotonic() < end and os.getppid() == parent:
    until = min(end, time.monotonic() + rng.uniform(shortest_s, longest_s))
    while time.monotonic() < until and os.getppid() == parent:
        sum(range(20_000)) if busy else time.sleep(0.01)
    busy = not busy
"""


@contextmanager
def background_load(
    rng: random.Random, *, stretch_s: tuple[float, float], limit_s: float
) -> Iterator[int]:
    """Run one process that is busy and idle by turns; yields its process id.

    Args:
        rng: Seeds the lengths of the turns.
        stretch_s: Shortest and longest turn.
        limit_s: When the process ends by itself.
    """
    numbers = (rng.randrange(2**32), *stretch_s, limit_s)
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", _BUSY, *map(str, numbers)])
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()
