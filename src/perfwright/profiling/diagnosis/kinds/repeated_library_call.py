"""A dear function of the standard library is given the same few values again and again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from perfwright.profiling.arguments import MAX_KEYS
from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import claim, matters, readable
from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.diagnosis.introduction import is_introduced
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.samples import is_file, simple
from perfwright.profiling.model import Arguments, Function, Profile

MIN_LOOKS = 24
MAX_DISTINCT = 0.5  # of the looks
PURE = {"urljoin": "urllib/parse.py", "_strptime": "_strptime.py", "loads": "json/__init__.py"}
"""Functions whose arguments are looked at, and their files."""
SHOWN = {"_strptime": "strptime", "loads": "json.loads"}


def find(run: Run) -> Iterator[Claim]:
    """Yield functions below which such a call repeats, though it answers the same each time."""
    for function in run.arguments:
        if few_values(run, function) and not is_parser(function):
            yield from _callers(run, function)


def _callers(run: Run, function: Function) -> Iterator[Claim]:
    seen, looks = run.arguments[function], run.occasions(function)
    for place, _ in readable(run):
        samples = frozenset(
            n for n in place.charged if any(s.function == function for s in run.samples[n].foreign)
        )
        if matters(place, samples) and is_introduced(
            run, samples, of=function, distinct=seen.distinct, occasions=looks
        ):
            shown = SHOWN.get(simple(function), simple(function))
            yield claim(
                place,
                BottleneckKind.REPEATED_WORK,
                samples=samples,
                confidence=0.7,
                evidence=f"`{shown}` was given {seen.distinct} different sets of arguments in "
                f"{looks} calls that were looked at, of {run.called.get(function, looks)}",
            )


def is_parser(function: Function) -> bool:
    """Whether it reads JSON, which has a rule of its own."""
    return simple(function) == "loads"


def few_values(run: Run, function: Function) -> bool:
    """Whether it is such a function, and was seen to be given few different values."""
    end = PURE.get(simple(function))
    if end is None or not is_file(function.file, end) or run.own.owns(function):
        return False
    seen, looks = run.arguments[function], run.occasions(function)
    return looks >= MIN_LOOKS and seen.distinct <= MAX_DISTINCT * looks and seen.distinct < MAX_KEYS


_TEXT = """
    from datetime import datetime
    def day(row):
        return datetime.strptime(row.day, "%Y-%m-%d")
    def report(rows):
        for row in rows:
            show(day(row))
    def run(files):
        for file in files:
            report(file)
"""
_STRPTIME = ("_strptime.py", "_strptime")


def _run(distinct: int) -> Profile:
    seen = example(
        _TEXT,
        ("report(file)", "show(day", "return datetime", _STRPTIME),
        calls={("show(day", "def day"): 1000, ("report(file)", "def report"): 1},
    )
    strptime, day = (frame_of(_TEXT, where).function for where in (_STRPTIME, "def day"))
    return replace(
        seen,
        arguments=(
            Arguments(function=strptime, looks=100, distinct=distinct, by_value=True),
            Arguments(function=day, looks=100, distinct=100, by_value=False),
        ),
    )


RULE = KindRule(
    id="repeated-library-call",
    kind=BottleneckKind.REPEATED_WORK,
    title="Remember results by their arguments",
    why="The answer to most calls was known already.",
    limits="Only a few functions that are known to be dear and pure are looked at.",
    find=find,
    fires_on=_run(4),
    silent_on=_run(95),
)
