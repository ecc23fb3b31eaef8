"""`perfwright compare` and hyperfine judge the same commands beside background load: who errs?

Half of the pairs are one command twice, the other half differ by a true 5 to 10 % of CPU time.
A command is a bare interpreter that runs a loop; the difference is set by the number of turns.
Turns are counted work, start-up is not, so the start-up's share of the CPU time is measured first,
under the same load (median over ABBA blocks of runs without and with turns), and the turns of the
slower command are raised by `difference / (1 - share)`. Aims keep half a point away from 5 and from
10 %, and the CPU times of all runs are printed beside them.

Both tools judge each pair, by turns one or the other first, while a process that this program
starts is busy and idle for random seconds. perfwright has the defaults of `perfwright compare`.
hyperfine has two warm-up runs as well and, of each command, at least as many runs as perfwright
may use at most. It gives no verdict, so three ways of reading it are scored.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, stdev

from _shared import Share, background_load, circumstances, say, table
from scipy.stats import ttest_ind

from perfwright.core import SystemClock
from perfwright.experiments import (
    COMPARE_ALPHA,
    CommandBench,
    CommandRunner,
    Contest,
    Design,
    Winner,
)

DESIGN = Design(alpha=COMPARE_ALPHA, max_pairs=100)
DIFFERENCES = (0.055, 0.095)
"""Bounds of the aims: how much more CPU time the slower command takes."""
COMMAND_S = 0.04
"""CPU time of the faster command, about."""
LIMIT_S = 20 * 60.0
LOAD_STRETCH_S = (1.0, 5.0)

_SCRIPT = """import sys
total = 0
for turn in range(int(sys.argv[1])):
    total += turn & 7
"""
_PROBE_TURNS = 400_000
_PROBE_BLOCKS = 40

Times = Sequence[float]


# --- The commands ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How many turns of the loop the faster command takes, and what they weigh."""

    script: Path
    turns: int
    startup_share: float
    """Of the CPU time of the whole command, 0 to 1."""

    def command(self, *, more: float = 0.0) -> str:
        """Return a command whose CPU time is the faster one's times `1 + more`."""
        turns = round(self.turns * (1.0 + more / (1.0 - self.startup_share)))
        return command_line(self.script, turns=turns)


def command_line(script: Path, *, turns: int) -> str:
    """Run the loop in an interpreter that reads nothing of its surroundings."""
    return shlex.join([sys.executable, "-S", "-E", "-I", str(script), str(turns)])


def weigh(script: Path, runner: CommandRunner) -> Work:
    """Measure what start-up and one turn cost, and choose the turns of the faster command."""
    script.write_text(_SCRIPT)
    empty, full = (shlex.split(command_line(script, turns=n)) for n in (0, _PROBE_TURNS))
    blocks = [
        [runner.run(command).cpu_s for command in (empty, full, full, empty)]
        for _ in range(_PROBE_BLOCKS)
    ]
    rounds = [((first + last) / 2, (second + third) / 2) for first, second, third, last in blocks]
    # In units of the probe's loop: neighbouring runs meet the same speed of the machine.
    startup = median(without / (whole - without) for without, whole in rounds)
    loop_s = median(whole - without for without, whole in rounds)
    turns = round(_PROBE_TURNS * (COMMAND_S / loop_s - startup))
    loop = turns / _PROBE_TURNS
    return Work(script=script, turns=turns, startup_share=startup / (startup + loop))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two commands, and what is true of them."""

    a: str
    b: str
    truth: Winner
    """`INCONCLUSIVE`: they are the same."""
    ratio: float = 1.0
    """CPU time of B over that of A, as aimed at."""


def make_pairs(work: Work, *, each: int, rng: random.Random) -> list[Pair]:
    """Make identical and different pairs, in random order, the faster one on a random side."""
    same = work.command()
    pairs = [Pair(a=same, b=same, truth=Winner.INCONCLUSIVE) for _ in range(each)]
    for _ in range(each):
        more = rng.uniform(*DIFFERENCES)
        slower = work.command(more=more)
        if rng.getrandbits(1):
            pairs.append(Pair(a=same, b=slower, truth=Winner.A, ratio=1.0 + more))
        else:
            pairs.append(Pair(a=slower, b=same, truth=Winner.B, ratio=1.0 / (1.0 + more)))
    rng.shuffle(pairs)
    return pairs


# --- What a reader takes from hyperfine -----------------------------------------------------------


def summary_line(a: Times, b: Times) -> Winner:
    """`A ran 1.03 times faster than B`; less than 1 % is taken for a tie.

    hyperfine prints the line for every pair, with the ratio of the means.
    """
    return _faster(a, b) if _ratio(a, b) >= 1.01 else Winner.INCONCLUSIVE


def summary_with_sigma(a: Times, b: Times) -> Winner:
    """`A ran 1.03 +- 0.02 times faster than B`; a claim where the ratio less sigma is above 1.

    The sigma is that of hyperfine: the relative standard deviations of the two commands, added
    as independent errors.
    """
    ratio = _ratio(a, b)
    sigma = ratio * math.hypot(stdev(a) / fmean(a), stdev(b) / fmean(b))
    return _faster(a, b) if ratio - sigma > 1.0 else Winner.INCONCLUSIVE


def welch(a: Times, b: Times) -> Winner:
    """Welch's t-test at p < .05 on the exported times, as hyperfine's own scripts do."""
    return _faster(a, b) if ttest_ind(a, b, equal_var=False).pvalue < 0.05 else Winner.INCONCLUSIVE


def _ratio(a: Times, b: Times) -> float:
    low, high = sorted((fmean(a), fmean(b)))
    return high / low


def _faster(a: Times, b: Times) -> Winner:
    return Winner.A if fmean(a) < fmean(b) else Winner.B


OURS = "**perfwright compare**"
READINGS: Mapping[str, Callable[[Times, Times], Winner]] = {
    "hyperfine, summary line, >= 1 %": summary_line,
    "hyperfine, summary line beyond its sigma": summary_with_sigma,
    "hyperfine, Welch p < .05 (its welch_ttest.py)": welch,
}


# --- One pair before both judges ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one tool said about one pair, and what it took."""

    claims: Mapping[str, Winner]
    """By reading."""
    runs: int
    """Of each command, without warm-up."""
    elapsed_s: float
    cpu_ratio: float = math.nan
    """Measured CPU time of B over that of A, where the tool tells."""
    note: str = ""


def ask_perfwright(pair: Pair, *, rng: random.Random) -> Judgement:
    """Judge a pair as `perfwright compare` does."""
    started = time.perf_counter()
    with CommandRunner() as runner:
        bench = CommandBench(a=pair.a, b=pair.b, runner=runner)
        clock = SystemClock()
        end = Contest(bench=bench, design=DESIGN, clock=clock, rng=rng, witness="cpu").run()
    return Judgement(
        claims={OURS: end.winner},
        runs=len(end.samples),
        elapsed_s=time.perf_counter() - started,
        cpu_ratio=end.measured["cpu"].ratio,
        note=end.basis,
    )


def ask_hyperfine(pair: Pair, *, folder: Path) -> Judgement:
    """Let hyperfine run all of A, then all of B, and read its export in every way."""
    export = folder / "hyperfine.json"
    options = ["-N", "--warmup", "2", "--min-runs", str(DESIGN.max_pairs)]
    started = time.perf_counter()
    subprocess.run(
        ["hyperfine", *options, "--style", "none", "--export-json", str(export), pair.a, pair.b],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    elapsed_s = time.perf_counter() - started
    a, b = (result["times"] for result in json.loads(export.read_text())["results"])
    claims = {name: reading(a, b) for name, reading in READINGS.items()}
    return Judgement(claims=claims, runs=len(a), elapsed_s=elapsed_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One pair and both judgements."""

    pair: Pair
    ours: Judgement
    theirs: Judgement

    @property
    def claims(self) -> Mapping[str, Winner]:
        """All claims about the pair."""
        return {**self.ours.claims, **self.theirs.claims}

    def judgement(self, reading: str) -> Judgement:
        """The judgement that a reading belongs to."""
        return self.ours if reading in self.ours.claims else self.theirs


def hear(pair: Pair, *, ours_first: bool, rng: random.Random, folder: Path) -> Heard:
    """Ask both tools about a pair, in the order given."""
    if ours_first:
        ours = ask_perfwright(pair, rng=rng)
        theirs = ask_hyperfine(pair, folder=folder)
    else:
        theirs = ask_hyperfine(pair, folder=folder)
        ours = ask_perfwright(pair, rng=rng)
    return Heard(pair=pair, ours=ours, theirs=theirs)


def hear_all(pairs: Sequence[Pair], *, rng: random.Random, folder: Path) -> list[Heard]:
    """Ask about all pairs, until the time is up."""
    heard: list[Heard] = []
    deadline = time.perf_counter() + LIMIT_S
    for turn, pair in enumerate(pairs):
        if time.perf_counter() > deadline:
            say(f"{LIMIT_S / 60:.0f} minutes are up after {turn} of {len(pairs)} pairs")
            break
        heard.append(hear(pair, ours_first=turn % 2 == 0, rng=rng, folder=folder))
        say(f"{turn + 1} of {len(pairs)}: {describe(heard[-1])}")
    return heard


def describe(heard: Heard) -> str:
    """One pair in one line."""
    claims = ", ".join(f"{reading.split(',')[-1]} {said}" for reading, said in heard.claims.items())
    return (
        f"aim {heard.pair.ratio - 1:+.1%}, cpu {heard.ours.cpu_ratio - 1:+.1%}: {claims}; "
        f"{heard.ours.runs} ({heard.ours.note}) and {heard.theirs.runs} runs, "
        f"{heard.ours.elapsed_s:.0f} and {heard.theirs.elapsed_s:.0f} s"
    )


# --- The score ------------------------------------------------------------------------------------


def score_table(heard: Sequence[Heard]) -> str:
    """One row per tool and reading."""
    header = [
        "tool, reading",
        "identical: wrong claims",
        "5-10 %: found",
        "missed",
        "wrong direction",
        "runs per command: median (range)",
        "seconds in all",
    ]
    return table(header, [score_row(reading, heard) for reading in (OURS, *READINGS)])


def score_row(reading: str, heard: Sequence[Heard]) -> list[object]:
    """How one reading did, and what it took."""
    same = [case for case in heard if case.pair.truth is Winner.INCONCLUSIVE]
    different = [case for case in heard if case.pair.truth is not Winner.INCONCLUSIVE]
    wrong = sum(case.claims[reading] is not Winner.INCONCLUSIVE for case in same)
    found = sum(case.claims[reading] is case.pair.truth for case in different)
    missed = sum(case.claims[reading] is Winner.INCONCLUSIVE for case in different)
    taken = [case.judgement(reading) for case in heard]
    runs = [judgement.runs for judgement in taken]
    return [
        reading,
        f"{wrong}: {Share(wrong, len(same))}",
        f"{found}: {Share(found, len(different))}",
        missed,
        len(different) - found - missed,
        f"{median(runs):.0f} ({min(runs)}-{max(runs)})",
        f"{sum(judgement.elapsed_s for judgement in taken):.0f}",
    ]


def work_line(work: Work, heard: Sequence[Heard]) -> str:
    """Whether the true differences are what they were meant to be."""
    different = [case for case in heard if case.pair.ratio != 1.0]
    if not different:
        return f"{work.turns} turns"
    aims = [max(case.pair.ratio, 1 / case.pair.ratio) - 1 for case in different]
    seen = [max(case.ours.cpu_ratio, 1 / case.ours.cpu_ratio) - 1 for case in different]
    settled = sum(case.ours.note == "cpu" for case in heard)
    return (
        f"{work.turns} turns; start-up takes {work.startup_share:.1%} of the CPU time. Differences "
        f"aimed at: {min(aims):.1%} to {max(aims):.1%}, median {median(aims):.1%};\n"
        f"CPU times of perfwright's runs say: {min(seen):.1%} to {max(seen):.1%}, median "
        f"{median(seen):.1%}. perfwright let CPU time settle {settled} of {len(heard)} pairs."
    )


def main() -> int:
    """Print the score."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pairs-of-commands", type=int, default=20, help="identical ones, and as many different"
    )
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if shutil.which("hyperfine") is None:
        say("hyperfine is not on PATH; on Debian or Ubuntu: apt-get install hyperfine")
        return 2
    rng = random.Random(chosen.seed)
    with (
        tempfile.TemporaryDirectory() as name,
        background_load(rng, stretch_s=LOAD_STRETCH_S, limit_s=1.5 * LIMIT_S),
    ):
        folder = Path(name)
        with CommandRunner() as runner:
            work = weigh(folder / "loop.py", runner)
        pairs = make_pairs(work, each=chosen.pairs_of_commands, rng=rng)
        heard = hear_all(pairs, rng=rng, folder=folder)
        print(f"{circumstances('perfwright', 'scipy')}, {hyperfine_version()}\n")
    print(score_table(heard) + "\n\n" + work_line(work, heard))
    return 0


def hyperfine_version() -> str:
    """Name and version, as hyperfine says them."""
    answer = subprocess.run(["hyperfine", "--version"], check=True, capture_output=True, text=True)
    return answer.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
