"""Scores of the localisation benchmark: where in a ranking the culprit stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from _localisation_cases import Case, Place, function_at

Row = dict[str, Any]
Ranking = list["Entry"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One function as a profiler ranks it."""

    file: str
    function: str
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How one profiler did on one case. Rank 0: not in the ranking."""

    strict: int
    lenient: int
    kind: str
    """Of the first entry that is the culprit or a neighbour; empty where none is named."""
    kind_right: bool
    """Within the first three, and of an accepted kind."""


def is_own(file: str, own: Sequence[str]) -> bool:
    """Tell whether a file is among the folders, or is one of the files, that the user named."""
    return any(file == path or file.startswith(path.rstrip("/") + "/") for path in own)


def ranked(rows: Iterable[Row], key: str, *, own: Sequence[str] | None = None) -> Ranking:
    """Order functions by a cost, dearest first.

    Args:
        key: `self`, whose parts of one function add up, or `cumulative`, whose parts overlap.
        own: Keep only functions in these folders, and no module level. None: keep all.
    """
    costs: dict[Place, float] = defaultdict(float)
    for row in rows:
        function = function_at(row["file"], row["line"], row["function"])
        if own is not None and (function == "<module>" or not is_own(row["file"], own)):
            continue
        place = (row["file"], function)
        costs[place] = costs[place] + row[key] if key == "self" else max(costs[place], row[key])
    order = sorted(costs, key=lambda place: -costs[place])
    return [Entry(*place) for place in order if costs[place] > 0]


def charged(stacks: Iterable[tuple[list[Row], float]], own: Sequence[str]) -> list[Row]:
    """Charge each sample to the innermost frame in code that the user could change.

    Args:
        stacks: Frames, outermost first, and the number of samples.
    """
    rows = []
    for frames, samples in stacks:
        for frame in reversed(frames):
            function = function_at(frame["file"], frame["line"], frame["function"])
            if function != "<module>" and is_own(frame["file"], own):
                rows.append(frame | {"self": samples})
                break
    return rows


def rows_of_stacks(stacks: Iterable[tuple[list[Row], float]]) -> list[Row]:
    """Self and cumulative samples by function; a recursive function counts once in a stack."""
    rows: list[Row] = []
    cumulative: dict[Place, float] = defaultdict(float)
    first: dict[Place, Row] = {}
    for frames, samples in stacks:
        if frames:
            rows.append(frames[-1] | {"self": samples, "cumulative": 0.0})
        for place, frame in {
            (frame["file"], function_at(frame["file"], frame["line"], frame["function"])): frame
            for frame in frames
        }.items():
            cumulative[place] += samples
            first.setdefault(place, frame)
    rows += [
        first[place] | {"self": 0.0, "cumulative": samples} for place, samples in cumulative.items()
    ]
    return rows


def judge(case: Case, ranking: Ranking) -> Score:
    """Find the culprit, and then the culprit or a neighbour, in a ranking."""
    strict = _rank(ranking, case.culprit)
    lenient = _rank(ranking, case.culprit + case.neighbours)
    kind = ranking[lenient - 1].kind if lenient else ""
    return Score(
        strict=strict,
        lenient=lenient,
        kind=kind,
        kind_right=0 < lenient <= 3 and kind in case.kinds,
    )


def _rank(ranking: Ranking, places: Sequence[Place]) -> int:
    for rank, entry in enumerate(ranking, 1):
        for file, function in places:
            if entry.function == function and f"/{entry.file}".endswith(f"/{file}"):
                return rank
    return 0


@dataclass(frozen=True, slots=True)
class Summary:
    """Shares of cases, 0 to 1, and mean reciprocal ranks."""

    cases: int
    strict: tuple[float, float, float]
    """At rank 1, within the first three, mean reciprocal rank."""
    lenient: tuple[float, float, float]
    kind: float


def summarise(scores: Sequence[Score]) -> Summary:
    """Put the scores of one profiler together.

    Raises:
        ValueError: If there are none.
    """
    if not scores:
        raise ValueError("nothing was scored")
    return Summary(
        len(scores),
        _shares([score.strict for score in scores]),
        _shares([score.lenient for score in scores]),
        sum(score.kind_right for score in scores) / len(scores),
    )


def _shares(ranks: Sequence[int]) -> tuple[float, float, float]:
    return (
        sum(rank == 1 for rank in ranks) / len(ranks),
        sum(0 < rank <= 3 for rank in ranks) / len(ranks),
        sum(1 / rank for rank in ranks if rank) / len(ranks),
    )
