"""An unchanged program is judged by perfwright and by the usual rules: who calls noise a gain?

1. Replay: recorded run times of one unchanged program (`data/noise-traces`) are dealt out as
   experiments. A true gain of e multiplies the times of B by 1 - e, so both the false keeps (of a
   gain of 0 %) and the true finds are known. perfwright judges through its production code:
   `Trial` and `Contest` with a `Bench` whose runs come from the trace. Every rule starts at the
   same runs of the trace.
2. Live: the same query on the same SQLite database is both arms of real experiments on this
   machine, half of them beside a busy process.

Exit code 1 when a bar is missed: at most 1 % of unchanged programs kept, on each trace and live;
of true gains of 10 and 5 % at least 90 and 50 % kept, on each trace.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import fmean, median

from _shared import Share, background_load, circumstances, say, table
from scipy.stats import mannwhitneyu, ttest_ind

from perfwright.core import Arm, Guardrail, ManualClock, MetricGuard, Outcome, SystemClock
from perfwright.experiments import COMPARE_ALPHA, Contest, Design, Trial, Winner, calibrate
from perfwright.experiments.design import ABBA

TRACES = Path(__file__).with_name("data") / "noise-traces"
EFFECTS = (0.0, 0.02, 0.05, 0.10)
FEWEST_REPLAYS = 300
MOST_KEPT = 0.01
"""Of unchanged programs."""
LEAST_FOUND = {0.10: 0.90, 0.05: 0.50}
"""By true gain."""

DESIGN = Design()
COMPARE_DESIGN = Design(alpha=COMPARE_ALPHA)
WINDOW = 2 * (DESIGN.warmup + DESIGN.max_pairs)
"""Runs that the longest experiment takes from a trace, and so the most that a start must leave."""

Runs = Sequence[float]


# --- The usual rules ------------------------------------------------------------------------------


def in_turn(runs: Runs, *, effect: float, per_arm: int) -> tuple[Runs, Runs]:
    """Deal runs out as most people measure: all of A, then all of B."""
    return runs[:per_arm], [run * (1.0 - effect) for run in runs[per_arm : 2 * per_arm]]


def interleaved(runs: Runs, *, effect: float, per_arm: int) -> tuple[Runs, Runs]:
    """Deal runs out in the order ABBA."""
    dealt = list(zip(runs[: 2 * per_arm], cycle(ABBA)))
    before = [run for run, arm in dealt if arm is Arm.A]
    after = [run * (1.0 - effect) for run, arm in dealt if arm is Arm.B]
    return before, after


def gains_5_percent(before: Runs, after: Runs, *, of: Callable[[Runs], float]) -> bool:
    """Whether a summary of the runs fell by more than 5 %."""
    return of(after) < 0.95 * of(before)


def welch(before: Runs, after: Runs) -> bool:
    """Whether the mean fell, significantly by Welch's t-test."""
    return fmean(after) < fmean(before) and ttest_ind(before, after, equal_var=False).pvalue < 0.05


def mann_whitney(before: Runs, after: Runs) -> bool:
    """Whether the median fell, significantly by the Mann-Whitney test."""
    return median(after) < median(before) and mannwhitneyu(before, after).pvalue < 0.02


@dataclass(frozen=True, slots=True)
class UsualRule:
    """How many runs somebody takes, in which order, and when they keep the change."""

    name: str
    per_arm: int
    deal: Callable[..., tuple[Runs, Runs]]
    keeps: Callable[[Runs, Runs], bool]

    def __call__(self, runs: Runs, *, effect: float) -> bool:
        """Whether the change is kept."""
        return self.keeps(*self.deal(runs, effect=effect, per_arm=self.per_arm))


USUAL_RULES = (
    UsualRule("1 run each, gain > 5 %", 1, in_turn, lambda a, b: gains_5_percent(a, b, of=min)),
    UsualRule("mean of 5, gain > 5 %", 5, in_turn, lambda a, b: gains_5_percent(a, b, of=fmean)),
    UsualRule("min of 30, gain > 5 %", 30, in_turn, lambda a, b: gains_5_percent(a, b, of=min)),
    UsualRule("before-then-after 30, Welch p < .05", 30, in_turn, welch),
    UsualRule("before-then-after 30, Mann-Whitney p < .02", 30, in_turn, mann_whitney),
    UsualRule("interleaved ABBA 30, Mann-Whitney p < .02", 30, interleaved, mann_whitney),
)


# --- perfwright -----------------------------------------------------------------------------------


@dataclass(slots=True)
class ReplayBench:
    """Arms whose runs come from a recording; B is faster by a known effect."""

    runs: Iterator[float]
    effect: float = 0.0
    primary: str = "wall"
    guards: Sequence[MetricGuard] = ()

    def measure(self, arm: Arm) -> Mapping[str, float]:
        """Return the next recorded run."""
        factor = 1.0 - self.effect if arm is Arm.B else 1.0
        return {"wall": next(self.runs) * factor}

    def count(self, arm: Arm) -> Mapping[str, float]:
        """Return nothing: a recording has no counters."""
        del arm
        return {}

    def check(self) -> Sequence[Guardrail]:
        """Return nothing: a recording has no answers."""
        return ()

    def close(self) -> None:
        """Hold nothing, release nothing."""


def replay_trial(runs: Runs, *, effect: float, rng: random.Random) -> tuple[bool, int]:
    """Judge as `optimize` and `try` do; return whether B was kept, and the pairs it took."""
    result = Trial(
        bench=ReplayBench(iter(runs), effect), design=DESIGN, clock=ManualClock(), rng=rng
    ).run()
    return result.verdict.outcome is Outcome.KEPT, len(result.samples)


def replay_contest(runs: Runs, *, effect: float, rng: random.Random) -> tuple[bool, int]:
    """Judge as `compare` does; return whether either arm was called faster, and the pairs."""
    result = Contest(
        bench=ReplayBench(iter(runs), effect), design=COMPARE_DESIGN, clock=ManualClock(), rng=rng
    ).run()
    return result.winner is not Winner.INCONCLUSIVE, len(result.samples)


# --- Replay ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One rule on one trace at one true effect."""

    kept: Share
    mean_pairs: float


def starts(trace: Runs, *, replays: int, seed: str) -> list[int]:
    """Random places of a trace from which the longest experiment still fits."""
    rng = random.Random(seed)
    return [rng.randrange(len(trace) - WINDOW + 1) for _ in range(replays)]


def replay_usual(rule: UsualRule, trace: Runs, *, effect: float, places: Sequence[int]) -> Cell:
    """Replay a usual rule from every place."""
    kept = sum(rule(trace[place : place + WINDOW], effect=effect) for place in places)
    return Cell(kept=Share(kept, len(places)), mean_pairs=rule.per_arm)


def replay_ours(
    judge: Callable[..., tuple[bool, int]],
    trace: Runs,
    *,
    effect: float,
    places: Sequence[int],
) -> Cell:
    """Replay perfwright from every place, with fresh coins each time."""
    ends = [
        judge(trace[place : place + WINDOW], effect=effect, rng=random.Random(f"{effect} {turn}"))
        for turn, place in enumerate(places)
    ]
    return Cell(
        kept=Share(sum(kept for kept, _ in ends), len(ends)),
        mean_pairs=fmean(pairs for _, pairs in ends),
    )


Replay = dict[str, dict[float, Cell]]
"""Cells by rule and true effect; `compare` has only that of equal arms."""

KEEP_RULE = "**perfwright optimize, try** (`Trial`)"
CLAIM_RULE = "**perfwright compare** (`Contest`): claims in either direction"


def replay(name: str, trace: Runs, *, places: Sequence[int]) -> Replay:
    """Judge the same stretches of a trace by every rule at every effect."""
    say(f"replaying {name}")
    ours = {
        effect: replay_ours(replay_trial, trace, effect=effect, places=places) for effect in EFFECTS
    }
    say(f"  {name}: optimize done")
    claims = {0.0: replay_ours(replay_contest, trace, effect=0.0, places=places)}
    say(f"  {name}: compare done")
    usual = {
        rule.name: {
            effect: replay_usual(rule, trace, effect=effect, places=places) for effect in EFFECTS
        }
        for rule in USUAL_RULES
    }
    say(f"  {name}: usual rules done")
    return {KEEP_RULE: ours, CLAIM_RULE: claims, **usual}


def replay_all(traces: Mapping[str, Runs], *, replays: int, seed: int) -> dict[str, Replay]:
    """Replay every trace in a process of its own: nothing here is timed."""
    # The sampler collects garbage before each block: freezing spares it the objects of scipy.
    with ProcessPoolExecutor(os.cpu_count(), initializer=gc.freeze) as pool:
        waiting = {
            name: pool.submit(
                replay, name, trace, places=starts(trace, replays=replays, seed=f"{seed} {name}")
            )
            for name, trace in traces.items()
        }
        return {name: future.result() for name, future in waiting.items()}


def replay_table(found: Mapping[str, Replay]) -> str:
    """All rules on all traces."""
    header = [
        "trace",
        "rule (runs per side)",
        "A/A kept (should be 0)",
        *(f"true {100 * effect:.0f} % found" for effect in EFFECTS[1:]),
        "mean pairs, from 0 to 10 %",
    ]
    rows = [
        [trace, rule, *(kept(cells, effect) for effect in EFFECTS), pairs_used([*cells.values()])]
        for trace, rules in found.items()
        for rule, cells in rules.items()
    ]
    return table(header, rows)


def kept(cells: Mapping[float, Cell], effect: float) -> str:
    """The share kept at one effect; empty where the rule was not asked."""
    return str(cells[effect].kept) if effect in cells else ""


def pairs_used(cells: Sequence[Cell]) -> str:
    """Mean pairs per effect; once where they are the same for all."""
    means = [f"{cell.mean_pairs:.0f}" for cell in cells]
    return means[0] if len(set(means)) == 1 else ", ".join(means)


def overlap_warning(traces: Mapping[str, Runs], *, replays: int) -> str:
    """How far the intervals can be trusted, in words."""
    separate = ", ".join(
        f"{name} {len(trace) / WINDOW:.0f} ({len(trace)} runs)" for name, trace in traces.items()
    )
    return "\n".join(
        (
            f"{replays} replays per cell from seeded starts; in brackets Wilson's 95 % interval.",
            f"Windows overlap. Of {WINDOW} runs, those that share no run: {separate}.",
            "So the brackets hold the chance of starts and coins on these traces; another hour of",
            "the same machine can differ by more than they say.",
        )
    )


# --- Live -----------------------------------------------------------------------------------------

STEP_LIMIT_S = 4.0
"""Time limit of one experiment, so that 40 x 2 of them and their calibrations take 6 minutes."""

_ROWS = 40_000
_QUERY = "SELECT shelf, count(*), sum(price) FROM item WHERE price % 7 < 5 GROUP BY shelf"


@dataclass(slots=True, kw_only=True)
class LiveBench:
    """One query on one database as both arms: nothing can differ but the machine."""

    database: sqlite3.Connection
    primary: str = "wall"
    guards: Sequence[MetricGuard] = ()

    def measure(self, arm: Arm) -> Mapping[str, float]:
        """Time the query."""
        del arm
        started = time.perf_counter()
        self.database.execute(_QUERY).fetchall()
        return {"wall": time.perf_counter() - started}

    def count(self, arm: Arm) -> Mapping[str, float]:
        """Return nothing: equal counters could never settle a tie."""
        del arm
        return {}

    def check(self) -> Sequence[Guardrail]:
        """Return nothing: equal arms answer alike."""
        return ()

    def close(self) -> None:
        """Leave the database to its owner."""


def build_database(path: Path) -> None:
    """Fill a table whose aggregation takes a few milliseconds."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, shelf INT, price INT)")
        database.executemany(
            "INSERT INTO item (shelf, price) VALUES (?, ?)",
            ((row % 13, row * 37 % 1009) for row in range(_ROWS)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRun:
    """One A/A on this machine: calibrated, then judged by both of perfwright's rules."""

    kept: bool
    claimed: bool
    run_s: float
    noise_floor: float
    pairs: tuple[int, int]
    """Of the `Trial` and of the `Contest`."""
    load: float


def live_run(bench: LiveBench, *, rng: random.Random) -> LiveRun:
    """Calibrate, then judge equal arms, as a run of `optimize` and then one of `compare` do."""
    clock = SystemClock()
    calibration = calibrate(bench, design=DESIGN, clock=SystemClock(), rng=rng)
    trial = Trial(
        bench=bench,
        design=DESIGN,
        clock=clock,
        rng=rng,
        bias=calibration.bias,
        time_limit_s=STEP_LIMIT_S,
    ).run()
    contest = Contest(
        bench=bench, design=COMPARE_DESIGN, clock=clock, rng=rng, time_limit_s=STEP_LIMIT_S
    ).run()
    return LiveRun(
        kept=trial.verdict.outcome is Outcome.KEPT,
        claimed=contest.winner is not Winner.INCONCLUSIVE,
        run_s=calibration.measured.baseline,
        noise_floor=calibration.noise_floor,
        pairs=(len(trial.samples), len(contest.samples)),
        load=os.getloadavg()[0],
    )


@dataclass(slots=True)
class Live:
    """All experiments on this machine."""

    runs: dict[str, list[LiveRun]] = field(default_factory=lambda: {"quiet": [], "busy": []})
    elapsed_s: float = 0.0

    @property
    def all_runs(self) -> list[LiveRun]:
        """Both kinds of weather."""
        return [run for group in self.runs.values() for run in group]

    @property
    def kept(self) -> Share:
        """Unchanged programs kept."""
        return Share(sum(run.kept for run in self.all_runs), len(self.all_runs))


def measure_live(experiments: int, *, rng: random.Random) -> Live:
    """Carry out A/A experiments, by turns alone and beside a busy process."""
    live = Live()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "live.db"
        build_database(path)
        with closing(sqlite3.connect(path)) as database:
            for turn in range(experiments):
                weather = "busy" if turn % 2 else "quiet"
                load = background_load(rng, stretch_s=(0.1, 1.0), limit_s=10 * STEP_LIMIT_S)
                with load if weather == "busy" else nullcontext():
                    run = live_run(LiveBench(database=database), rng=rng)
                live.runs[weather].append(run)
                say(f"  {turn + 1} of {experiments}: {weather}, kept {run.kept}")
    live.elapsed_s = time.perf_counter() - started
    return live


def live_table(live: Live) -> str:
    """Both kinds of weather."""
    header = [
        "weather",
        "experiments",
        "kept (`Trial`)",
        "claimed (`Contest`)",
        "mean pairs of both",
        "one run",
        "noise floor: median (range)",
    ]
    return table(header, [live_row(name, runs) for name, runs in live.runs.items() if runs])


def live_summary(live: Live) -> str:
    """Name the share kept, and the load, which lags too far behind to be told by weather."""
    loads = [run.load for run in live.all_runs]
    return (
        f"Kept in all: {live.kept.hits} of {live.kept.of}, {live.kept}. It took "
        f"{live.elapsed_s:.0f} s at a load of {min(loads):.1f} to {max(loads):.1f}, whatever else "
        "ran included."
    )


def live_row(name: str, runs: Sequence[LiveRun]) -> list[object]:
    """One kind of weather."""
    floors = [100 * run.noise_floor for run in runs]
    return [
        name,
        len(runs),
        sum(run.kept for run in runs),
        sum(run.claimed for run in runs),
        ", ".join(f"{fmean(run.pairs[judge] for run in runs):.0f}" for judge in (0, 1)),
        f"{1e3 * median(run.run_s for run in runs):.1f} ms",
        f"{median(floors):.1f} % ({min(floors):.1f}-{max(floors):.1f})",
    ]


# --- Bars -----------------------------------------------------------------------------------------


def missed_bars(found: Mapping[str, Replay], kept_live: Share) -> list[str]:
    """Name every promise that these results break."""
    missed = []
    for trace, rules in found.items():
        cells = rules[KEEP_RULE]
        if cells[0.0].kept.ratio > MOST_KEPT:
            missed.append(f"{trace}: kept {cells[0.0].kept} of unchanged programs, not <= 1 %")
        missed += [
            f"{trace}: found {cells[effect].kept} of true {effect:.0%} gains, not >= {least:.0%}"
            for effect, least in LEAST_FOUND.items()
            if cells[effect].kept.ratio < least
        ]
    if kept_live.ratio > MOST_KEPT:
        missed.append(f"live: kept {kept_live.hits} of {kept_live.of} unchanged, not <= 1 %")
    return missed


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--traces", type=Path, default=TRACES, help="folder of JSON traces")
    parser.add_argument("--replays", type=int, default=1000, help="per cell, at least 300")
    parser.add_argument("--live", type=int, default=40, help="live experiments; 0 skips them")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if chosen.replays < FEWEST_REPLAYS:
        parser.error(f"--replays {chosen.replays}: at least {FEWEST_REPLAYS}, or 1 % means nothing")
    if not any(chosen.traces.glob("*.json")):
        parser.error(f"--traces {chosen.traces}: holds no *.json")
    return chosen


def main() -> int:
    """Print both tables; return 1 when a bar is missed."""
    chosen = arguments()
    print(circumstances("perfwright", "scipy"), flush=True)
    traces = {
        path.stem: json.loads(path.read_text()) for path in sorted(chosen.traces.glob("*.json"))
    }
    found = replay_all(traces, replays=chosen.replays, seed=chosen.seed)
    print("\nReplay\n\n" + replay_table(found) + "\n")
    print(overlap_warning(traces, replays=chosen.replays), flush=True)

    gc.freeze()
    live = measure_live(chosen.live, rng=random.Random(chosen.seed))
    if live.kept.of:
        print("\nLive\n\n" + live_table(live) + "\n")
        print(live_summary(live))

    missed = missed_bars(found, live.kept)
    print("\n" + "\n".join(f"MISSED {bar}" for bar in missed) if missed else "\nAll bars met.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
