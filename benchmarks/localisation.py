"""Does the top of a profile name the function at fault, and the kind of its fault?

Each case is a slow program whose cause is known, because there is a version without it: two
published versions of a package, or a program made for this and its fix. Each profiler runs the
workload in a process of its own; the ranking that it gives is searched for the culprit. "Own"
leaves out what the user could not change and the module level; "charged" gives the time of library
and C code to the innermost caller in code that the user could change.

    python benchmarks/localisation.py                      # all cases, all profilers
    python benchmarks/localisation.py --cases bank_match --profilers ours --verbose
    python benchmarks/localisation.py --verify             # slow against fixed, without a profiler
    python benchmarks/localisation.py --fixed              # ours on the fixed versions
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _localisation_cases import Case, load
from _localisation_runs import PROFILERS, RIVALS, FailedError, ours, run_child
from _localisation_scores import Entry, Ranking, Row, Score, judge, summarise
from _rivals import versions
from _shared import circumstances, say, table


def measure(case: Case, names: Sequence[str], *, verbose: bool) -> dict[str, Score]:
    """Run the slow version of a case under each profiler; a profiler that fails names nothing."""
    scores = {}
    for name in names:
        try:
            rankings = PROFILERS[name](case, "slow")
        except FailedError as error:
            say(f"  {case.name}: {name} failed: {error}")
            rankings = {}  # no score counts as nothing found
        for variant, ranking in rankings.items():
            scores[name + variant] = judge(case, ranking)
            if verbose:
                show(name + variant, scores[name + variant], ranking)
    return scores


def show(name: str, score: Score, ranking: Ranking) -> None:
    say(f"  {name}: strict {score.strict}, lenient {score.lenient}, kind {score.kind_right}")
    for entry in ranking[:5]:
        say(f"      {Path(entry.file).name}:{entry.function} {entry.kind}")


def place(score: Score | None) -> str:
    """One cell: the strict rank, the lenient one behind it where it differs, the kind if named."""
    if score is None:
        return ""
    rank = str(score.strict or "-")
    if score.lenient != score.strict:
        rank += f" ({score.lenient})"
    return f"{rank} {score.kind}{'' if score.kind_right else ' ✗'}" if score.kind else rank


def shares(parts: tuple[float, float, float]) -> str:
    return "/".join(f"{part:.2f}" for part in parts)


def summaries(cases: Sequence[Case], scores: dict[str, dict[str, Score]]) -> Iterator[Row]:
    """One row for each profiler and each group of cases that has any."""
    names = list(dict.fromkeys(name for each in scores.values() for name in each))
    groups = {
        "all": list(cases),
        "dev": [case for case in cases if case.split == "dev"],
        "held-out": [case for case in cases if case.split == "held-out"],
        "published packages": [case for case in cases if case.real],
    }
    none = Score(strict=0, lenient=0, kind="", kind_right=False)
    for group, members in groups.items():
        for name in names if members else ():
            summary = summarise([scores[case.name].get(name, none) for case in members])
            yield {
                "programs": f"{group}, {len(members)}",
                "profiler": name,
                "strict": shares(summary.strict),
                "lenient": shares(summary.lenient),
                "kind right": f"{summary.kind:.2f}" if name.startswith("ours") else "names none",
            }


def report(cases: Sequence[Case], scores: dict[str, dict[str, Score]]) -> str:
    """Two tables: groups of cases by profiler, and each case by the rankings that matter most."""
    names = list(dict.fromkeys(name for each in scores.values() for name in each))
    rows = list(summaries(cases, scores))
    chosen = [
        name
        for name in names
        if name.startswith("ours") or (name.endswith((", own", "charged")) and "cumul" not in name)
    ]
    listing = [
        (
            case.name,
            case.split,
            "real" if case.real else "made",
            case.kind,
            *(place(scores[case.name].get(name)) for name in chosen),
        )
        for case in cases
    ]
    usual, count = Counter(case.kind for case in cases).most_common(1)[0]
    return "\n\n".join(
        (
            "Rank 1 / top 3 / MRR:",
            table(tuple(rows[0]), [tuple(row.values()) for row in rows]),
            f"Always answering {usual} would be right in {count / len(cases):.2f}.",
            "Rank of the culprit (of the culprit or a neighbour), kind named, ✗ where it is wrong:",
            table(("case", "split", "", "kind", *chosen), listing),
        )
    )


def verify(case: Case, rounds: int) -> Row:
    """Run both versions by turns without a profiler: the same result, and what the fix saves.

    Raises:
        FailedError: If the results differ.
    """
    seen: dict[str, list[dict[str, Any]]] = {"slow": [], "fixed": []}
    for _ in range(rounds):
        for version in ("slow", "fixed"):
            seen[version].append(run_child(case, version, "none"))
    if len({answer["digest"] for answers in seen.values() for answer in answers}) > 1:
        raise FailedError("slow and fixed differ in their results")
    row: Row = {"case": case.name, "measure": case.measure, "rounds": rounds}
    for key in ("wall_s", "cpu_s"):
        slow, fixed = (statistics.median(a[key] for a in seen[v]) for v in ("slow", "fixed"))
        row |= {f"slow_{key}": slow, key.removesuffix("_s"): slow / fixed}
    for key in ("held", "peak"):
        if case.measure == key:
            slow, fixed = (
                run_child(case, version, "tracemalloc")["rows"][0][key]
                for version in ("slow", "fixed")
            )
            row |= {"slow_bytes": slow, key: slow / max(fixed, 1)}
    row["ratio"] = row[case.measure]
    return row


def check_fixed(case: Case) -> Row:
    """Run ours on the fixed version: the culprit is no longer its first answer, of that kind."""
    ranking = ours(case, "fixed")[""]
    score = judge(case, ranking)
    first = ranking[0] if ranking else Entry("", "", "")
    still = score.strict == 1 and first.kind in case.kinds
    return {
        "case": case.name,
        "still named": still,
        "rank": score.strict,
        "first": first.function,
        "kind": first.kind,
    }


def write(file: Path, scores: Mapping[str, Mapping[str, Score]]) -> None:
    answer = {
        case: {name: asdict(score) for name, score in row.items()} for case, row in scores.items()
    }
    file.write_text(json.dumps(answer, indent=1))


def each(cases: Sequence[Case], work: Callable[[Case], Row]) -> Iterator[Row]:
    for number, case in enumerate(cases, 1):
        say(f"[{number}/{len(cases)}] {case.name}")
        try:
            yield work(case)
        except FailedError as error:
            say(f"  failed: {error}")
            yield {"case": case.name, "failed": "yes"}


def print_rows(rows: Sequence[Row]) -> None:
    header = list(dict.fromkeys(key for row in rows for key in row))
    print(
        table(
            header,
            [
                [
                    f"{cell:.2f}" if isinstance(cell := row.get(key, ""), float) else cell
                    for key in header
                ]
                for row in rows
            ],
        )
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", default="", help="names, with commas between them")
    parser.add_argument("--split", choices=("all", "dev", "held-out"), default="all")
    parser.add_argument(
        "--profilers", default=";".join(PROFILERS), help="names, with semicolons between them"
    )
    parser.add_argument("--beside", type=Path, help="scores that --json wrote, to show as well")
    parser.add_argument("--json", type=Path, help="write each score there as well")
    parser.add_argument("--verify", action="store_true", help="compare slow and fixed versions")
    parser.add_argument("--fixed", action="store_true", help="run ours on the fixed versions")
    parser.add_argument("--rounds", type=int, default=3, help="of --verify")
    parser.add_argument("--verbose", action="store_true", help="show the first of each ranking")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    cases = load([name for name in options.cases.split(",") if name], options.split)
    if options.verify or options.fixed:
        work = (lambda case: verify(case, options.rounds)) if options.verify else check_fixed
        rows = list(each(cases, work))
        print(circumstances("perfwright"))
        print_rows(rows)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1))
        return
    names = [name.strip() for name in options.profilers.split(";")]
    if unknown := set(names) - set(PROFILERS):
        raise SystemExit(f"no profiler {unknown}; there are {', '.join(PROFILERS)}")
    scores: dict[str, dict[str, Score]] = {case.name: {} for case in cases}
    if options.beside:
        for name, known in json.loads(options.beside.read_text()).items():
            if name in scores:
                scores[name] = {each: Score(**score) for each, score in known.items()}
    for number, case in enumerate(cases, 1):
        say(f"[{number}/{len(cases)}] {case.name} ({case.kind})")
        scores[case.name] |= measure(case, names, verbose=options.verbose)
        if options.json:  # after each case: the run is long
            write(options.json, scores)
    rivals = versions(RIVALS, "py-spy", "pyinstrument", "yappi")
    print(circumstances("perfwright"), rivals, sep=", ")
    print(report(cases, scores))


if __name__ == "__main__":
    main()
