"""Index advice for PostgreSQL on a mixed workload, beside an expert, HypoPG and postgres-mcp.

On a private server: builds a data set, runs its workload once (pg_stat_statements and a log with
literals), lets each advisor see the result, applies what each advises to fresh copies, and counts
pages of reads and writes (the same at every load), bytes of indexes, time, and bad advice.
`benchmarks/db/dbbench.py` does the judging. Then:

- writes:     each kept change alone, writes interleaved with and without it, beside the report's
              own figure
- unseen:     the same advice, judged on executions that no advisor has seen
- tuned:      the data set with the expert's advice in place, where nothing may be kept
- statistics: advice from pg_stat_statements alone, without a workload file (for information)

    python benchmarks/database_postgresql.py [--dataset desk|parcel|FILE] [--quick] [--keep]
"""

from __future__ import annotations

import argparse
import math
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import greedy_hypopg  # the folder of this script is on sys.path
import postgres_mcp_tuner
from _judge import (
    Judge,
    Optimized,
    OptimizeError,
    Row,
    WritePhase,
    find_dataset,
    median_ratio,
    optimize,
    pages_per_mebibyte,
    read_gain_share,
    versions,
)
from _postgres import QUIET, NoServerError, PrivateServer, private_server
from _shared import circumstances, say, table

PARTS = ("writes", "unseen", "tuned", "statistics")
READ_SHARE = 0.85
DECOY_SHARE = 0.75
WRITE_RATIO = 1.10
WRITE_POINTS = 10.0
LONGEST_S = 300.0
TARGET_SHARE = 0.20
ANALYSED_SHARE = 0.95
Measure = Callable[[WritePhase], float]
OURS, GREEDY, EXPERT = "perfwright", "greedy HypoPG", "expert by hand"


@dataclass(slots=True)
class Bars:
    """What the run has to show."""

    failed: int = 0

    def check(self, name: str, met: bool | None, *, got: str) -> None:
        """Print one bar; None: could not be measured, which is not met."""
        self.failed += met is not True
        print(f"{'PASS' if met else 'FAIL'}  {name}: {got}")


@dataclass(slots=True)
class Advised:
    """The advice of everybody, with how it came about."""

    statements: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    ours: Optimized | None = None


def main() -> int:
    arguments = parse()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="perfwright-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        with private_server({**QUIET, "max_wal_size": "4GB"}) as server:
            return run(server, work, arguments)
    except NoServerError as error:
        print(f"skipped: {error}")
        return 0
    finally:
        if arguments.keep or arguments.work:
            say(f"advice, reports and workload are in {work}")
        else:
            shutil.rmtree(work)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="desk", help="desk, parcel, or a module's path")
    parser.add_argument("--work", type=Path, help="folder that is kept; default: a temporary one")
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder")
    parser.add_argument("--reps", type=int, default=3, help="rounds of reads and writes")
    parser.add_argument("--rounds", type=int, default=3, help="pairs for each kept change's writes")
    parser.add_argument("--budget", default="5m", help="of perfwright optimize")
    parser.add_argument("--scope", default="quick-win", choices=("quick-win", "comprehensive"))
    parser.add_argument("--parts", help=f"which of the further parts; default: {','.join(PARTS)}")
    parser.add_argument(
        "--quick", action="store_true", help="one round; no further parts by default"
    )
    arguments = parser.parse_args()
    if arguments.parts is None:
        arguments.parts = "" if arguments.quick else ",".join(PARTS)
    arguments.parts = [one for one in arguments.parts.split(",") if one]
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"--parts knows {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    if arguments.quick:
        arguments.reps = 1
    return arguments


def run(server: PrivateServer, work: Path, arguments: argparse.Namespace) -> int:
    judge = Judge(server, find_dataset(arguments.dataset), work)
    judge.build()
    judge.prepare()
    print(circumstances("psycopg", "sqlglot"))
    print(versions(server))
    print(f"data set {judge.name}; {arguments.reps} rounds; --scope {arguments.scope}\n")
    advised = everybody(judge, arguments)
    bars = Bars()
    judged(judge, advised, arguments, bars)
    if advised.ours is None:
        bars.check("perfwright optimize gives a report", False, got="it did not")
        return 1
    run_itself(advised.ours, bars, shapes=judge.shapes)
    if "writes" in arguments.parts:
        own_write_cost(judge, advised.ours, bars, rounds=arguments.rounds)
    if "unseen" in arguments.parts:
        unseen(judge, advised)
    if "tuned" in arguments.parts:
        well_tuned(judge, arguments, bars)
    if "statistics" in arguments.parts:
        statistics_only(judge, advised, arguments)
    return 1 if bars.failed else 0


# --- Advice ---------------------------------------------------------------------------------------


def everybody(judge: Judge, arguments: argparse.Namespace) -> Advised:
    """Ask all; ours last, on statistics that the others have not touched."""
    advised = Advised()
    ask_postgres_mcp(judge, advised)
    started = time.perf_counter()
    advised.statements[GREEDY] = greedy_hypopg.advise(
        judge.url, judge.workload, budget_bytes=500 << 20
    )
    advised.seconds[GREEDY] = time.perf_counter() - started
    if judge.expert.exists():
        advised.statements[EXPERT] = judge.split(judge.expert)
    judge.prepare()
    say("perfwright optimize")
    try:
        ours = optimize(
            judge.url,
            judge.work,
            name="perfwright",
            workload=judge.workload,
            budget=arguments.budget,
            scope=arguments.scope,
        )
    except OptimizeError as error:
        advised.remarks.append(f"perfwright: {error}")
        return advised
    advised.ours = ours
    advised.statements[OURS] = judge.split(ours.advice)
    advised.seconds[OURS] = ours.seconds
    return advised


def ask_postgres_mcp(judge: Judge, advised: Advised) -> None:
    say("postgres-mcp")
    try:
        answers = postgres_mcp_tuner.advise(judge.url, judge.workload)
    except postgres_mcp_tuner.NotInstalledError as error:
        advised.remarks.append(f"postgres-mcp skipped: {error}")
        return
    for way, answer in answers.items():
        name = f"postgres-mcp, {way}"
        advised.seconds[name] = answer.seconds
        if answer.error:
            advised.remarks.append(f"{name}: {' '.join(answer.error.split())}")
        if answer.left_out:
            shown = "; ".join(f"{sql[:80]}..." for sql in answer.left_out)
            advised.remarks.append(f"{name}: {len(answer.left_out)}: {shown}")
        if answer.sql or not answer.error:
            advised.statements[name] = [*map(_bare, answer.sql), "analyze"]


def _bare(statement: str) -> str:
    return statement.rstrip().removesuffix(";")


# --- The table ------------------------------------------------------------------------------------


def judged(judge: Judge, advised: Advised, arguments: argparse.Namespace, bars: Bars) -> None:
    """Measure everybody's advice, print the table, check the bars."""
    rows = measured(judge, advised.statements, reps=arguments.reps)
    print(overview(rows, advised.seconds))
    print()
    for line in (*advised.remarks, *_details(rows)):
        print(line)
    if OURS not in rows:
        return
    ours, expert, greedy = rows[OURS], rows.get(EXPERT), rows[GREEDY]
    fixed, of = map(int, ours["decoys_fixed"].split("/"))
    wall, cpu = writes_of(judge, advised.statements[OURS], rounds=max(3, arguments.reps))
    print()
    if expert is not None:
        share = read_gain_share(ours, expert)
        name = f"at least {READ_SHARE:.0%} of the expert's log reduction of pages read"
        bars.check(name, share >= READ_SHARE, got=f"{share:.1%}")
    name = f"at least {DECOY_SHARE:.0%} of the planted index faults repaired"
    bars.check(name, fixed >= DECOY_SHARE * of, got=ours["decoys_fixed"])
    _none(bars, "no index where writes dominate", ours["no_index_table_hits"])
    _none(bars, "no protected index dropped", ours["protected_dropped"])
    _none(bars, "no wrong result", ours["wrong_results"])
    _none(bars, "no advice that fails", [sql for sql, _why in ours["errors"]])
    pages = ours["write_pages_ratio"]
    name = f"pages of the write phase at most {WRITE_RATIO:.2f}x"
    bars.check(name, pages <= WRITE_RATIO, got=f"{pages:.3f}")
    name = f"processor time of the write phase at most {WRITE_RATIO:.2f}x (interleaved)"
    bars.check(name, cpu <= WRITE_RATIO, got=f"{cpu:.3f} (by the clock {wall:.3f})")
    for size, what in (("new_bytes", "new index"), ("net_bytes", "index, less what was dropped")):
        mine, theirs = (pages_per_mebibyte(one, size=size) for one in (ours, greedy))
        name = f"ahead of greedy HypoPG in pages saved per byte of {what}"
        bars.check(name, mine > theirs, got=f"{mine:,.0f} against {theirs:,.0f} for each MiB")


def _none(bars: Bars, name: str, found: Sequence[object]) -> None:
    bars.check(name, not found, got=", ".join(map(str, found)) or "none")


def measured(
    judge: Judge, advice: Mapping[str, Sequence[str]], *, reps: int, unseen: int = 0
) -> dict[str, Row]:
    """Judge each advice on a copy of its own against a copy without any."""
    say("measure nothing")
    base = judge.measure([], reps=reps, unseen=unseen)
    rows = {"nothing": judge.audit(base, base)}
    for name, statements in advice.items():
        say(f"measure {name}")
        rows[name] = judge.audit(base, judge.measure(statements, reps=reps, unseen=unseen))
    return rows


def overview(rows: Mapping[str, Row], seconds: Mapping[str, float]) -> str:
    header = (
        *("", "pages read", "of expert", "write pages", "write time", "net MiB", "new"),
        *("pages/MiB", "faults fixed", "protected", "no-index", "unused", "redundant"),
        *("wrong", "slower", "seconds"),
    )
    return table(header, [_row(name, rows, seconds) for name in rows])


def _row(name: str, rows: Mapping[str, Row], seconds: Mapping[str, float]) -> Sequence[object]:
    row, expert = rows[name], rows.get(EXPERT)
    share = f"{read_gain_share(row, expert):.0%}" if expert else ""
    saved = pages_per_mebibyte(row)
    return (
        name,
        f"{row['read_pages']:,.0f}",
        share,
        f"{row['write_pages_ratio']:.2f}",
        f"{row['write_ratio']:.2f}",
        f"{row['net_bytes'] / 2**20:+.1f}",
        row["new_indexes"],
        "" if math.isinf(saved) else f"{saved:,.0f}",
        row["decoys_fixed"],
        len(row["protected_dropped"]),
        len(row["no_index_table_hits"]),
        len(row["unused_new"]),
        len(row["redundant_new"]),
        len(row["wrong_results"]),
        len(row["slower"]),
        f"{seconds[name]:.0f}" if name in seconds else "",
    )


def _details(rows: Mapping[str, Row]) -> list[str]:
    kinds = ("protected_dropped", "no_index_table_hits", "unused_new", "redundant_new", "slower")
    return [
        f"{name}: {kind}: {', '.join(map(str, row[kind]))}"
        for name, row in rows.items()
        for kind in (*kinds, "wrong_results", "errors")
        if row[kind]
    ]


def writes_of(judge: Judge, statements: Sequence[str], *, rounds: int) -> tuple[float, float]:
    """Wall and processor time of the write phase with these statements over that without."""
    say("writes, interleaved")
    pairs = judge.write_pairs([], statements, rounds=rounds)
    return median_ratio(pairs, _seconds), median_ratio(pairs, _cpu)


def _seconds(phase: WritePhase) -> float:
    return phase.seconds


def _cpu(phase: WritePhase) -> float:
    return phase.cpu_s


def _pages(phase: WritePhase) -> float:
    return phase.pages


# --- Further parts --------------------------------------------------------------------------------


def run_itself(ours: Optimized, bars: Bars, *, shapes: int) -> None:
    """Check how long the run took, what of that on the live target, and how much it covered."""
    bars.check(
        f"at most {LONGEST_S / 60:.0f} minutes",
        ours.seconds <= LONGEST_S,
        got=f"{ours.seconds:.0f} s",
    )
    on_target = ours.summary.get("target_seconds")
    name = f"at most {TARGET_SHARE:.0%} of the time spent on the live target"
    if on_target is None:
        bars.check(name, None, got="the report does not say (target_seconds)")
    else:
        share = on_target / ours.seconds
        bars.check(name, share <= TARGET_SHARE, got=f"{share:.1%} ({on_target:.1f} s)")
    analysed = ours.summary.get("analysed_shapes")
    name = f"at least {ANALYSED_SHARE:.0%} of the statement shapes analysed"
    if analysed is None:
        bars.check(name, None, got="the report does not say (analysed_shapes)")
    else:
        bars.check(name, analysed >= ANALYSED_SHARE * shapes, got=f"{analysed:.0f} of {shapes}")


def own_write_cost(judge: Judge, ours: Optimized, bars: Bars, *, rounds: int) -> None:
    """Compare the report's cost of writes with what is measured of each change alone.

    Like with like: its time with processor time, its count of buffers with pages. An index spares
    a scanning delete more time than pages, so one figure cannot stand for both.
    """
    rows: list[Sequence[object]] = []
    off_time: list[float] = []
    off_pages: list[float] = []
    for experiment in ours.kept:
        say(f"writes with {experiment['change']['summary']}")
        change = [_bare(statement) for statement in experiment["change"]["apply"]]
        pairs = judge.write_pairs([], change, rounds=rounds)
        pages, cpu = median_ratio(pairs, _pages), median_ratio(pairs, _cpu)
        claimed, counted = _claimed_writes(experiment), _claimed_pages(experiment)
        off_time.append(100.0 * abs((claimed or 1.0) - cpu))
        off_pages.append(100.0 * abs((counted or 1.0) - pages))
        rows.append(
            (
                experiment["change"]["summary"][:70],
                "none touched" if claimed is None else f"{claimed:.3f}",
                _spread(pairs, _cpu),
                _spread(pairs, _seconds),
                "none touched" if counted is None else f"{counted:.3f}",
                f"{pages:.3f}",
            )
        )
    header = (
        *("kept change, alone", "report: time", "bench: processor", "bench: clock"),
        *("report: pages", "bench: pages"),
    )
    print(f"\n{table(header, rows)}\n")
    for what, off in (("processor time", off_time), ("pages", off_pages)):
        name = f"the report's own write cost within {WRITE_POINTS:.0f} points of the bench ({what})"
        worst = max(off, default=0.0)
        bars.check(name, worst <= WRITE_POINTS, got=f"worst {worst:.1f} points")


def _spread(pairs: Sequence[tuple[WritePhase, WritePhase]], value: Measure) -> str:
    """The median ratio of pairs with the lowest and the highest."""
    ratios = [value(after) / max(value(before), 1e-9) for before, after in pairs]
    return f"{median_ratio(pairs, value):.3f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _claimed_writes(experiment: Row) -> float | None:
    """The report's figure; None where it says nothing, since no write touches the change."""
    for guard in experiment["guardrails"]:
        if guard["name"] == "writes" and guard["measured"] is not None:
            ratio: float | None = guard["measured"]["ratio"]
            return ratio
    return None


def _claimed_pages(experiment: Row) -> float | None:
    """The report's count of buffers of all writes; None where the change touches none."""
    for guard in experiment["guardrails"]:
        if guard["name"] == "write pages":
            before, after = map(_number, re.findall(r"[\d,]+", guard["detail"])[:2])
            return after / before
    return None


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def unseen(judge: Judge, advised: Advised) -> None:
    """Judge the same advice on other executions of the same statements."""
    rows = measured(judge, advised.statements, reps=1, unseen=7_000)
    print(f"\nOn executions that no advisor has seen:\n\n{overview(rows, {})}")


def well_tuned(judge: Judge, arguments: argparse.Namespace, bars: Bars) -> None:
    """Optimize what an expert has already tuned."""
    name = "nothing is kept on a well-tuned database"
    if not judge.expert.exists():
        print(f"\nskipped: {name}: there is no {judge.expert.name}")
        return
    tuned = judge.tuned()
    tuned.build()
    tuned.prepare()
    say("perfwright optimize, tuned")
    print()
    try:
        ours = optimize(
            tuned.url,
            tuned.work,
            name="tuned",
            workload=tuned.workload,
            budget=arguments.budget,
            scope=arguments.scope,
        )
    except OptimizeError as error:
        bars.check(name, None, got=str(error))
        return
    kept = [one["change"]["summary"] for one in ours.kept]
    tried = len(ours.document["experiments"])
    bars.check(name, not kept, got="; ".join(kept) or f"0 of {tried} experiments")


def statistics_only(judge: Judge, advised: Advised, arguments: argparse.Namespace) -> None:
    """What we advise without a workload file; for information."""
    judge.prepare()
    say("perfwright optimize, without a workload file")
    try:
        ours = optimize(
            judge.url,
            judge.work,
            name="statistics",
            workload=None,
            budget=arguments.budget,
            scope=arguments.scope,
        )
    except OptimizeError as error:
        print(f"\nFrom pg_stat_statements alone: {error}")
        return
    advice = {"pg_stat_statements alone": judge.split(ours.advice)}
    with suppress(KeyError):
        advice[EXPERT] = advised.statements[EXPERT]
    rows = measured(judge, advice, reps=1)
    seconds = {"pg_stat_statements alone": ours.seconds}
    print(f"\nFrom pg_stat_statements alone, for information:\n\n{overview(rows, seconds)}")


if __name__ == "__main__":
    sys.exit(main())
