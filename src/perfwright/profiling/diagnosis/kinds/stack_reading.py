"""The stack of callers is read to find out who called."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import claim, is_called_often, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.samples import is_file

LOGGING = "logging/__init__.py"
READERS = {
    "traceback.py": ("extract_stack", "format_stack", "print_stack"),
    "inspect.py": ("stack", "getouterframes", "getframeinfo"),
}


def find(run: Run) -> Iterator[Claim]:
    """Yield functions that read the stack at each of many calls."""
    for place, _ in readable(run):
        samples = frozenset[int]().union(
            *(place.with_foreign(file, *names) for file, names in READERS.items())
        )
        if matters(place, samples) and is_called_often(place):
            logging = any(
                is_file(s.function.file, LOGGING) for n in samples for s in run.samples[n].steps
            )
            yield claim(
                place,
                BottleneckKind.REFLECTION,
                samples=samples,
                confidence=0.85,
                evidence="the whole stack of callers is read, with lines of its source files, at "
                f"each of {place.calls or 'many'} calls" + (" while logging" if logging else ""),
            )


_TEXT = """
    import traceback
    def caller():
        return traceback.extract_stack()[0].name
    def mark(rows):
        for row in rows:
            row.by = caller()
    def report(error):
        return traceback.format_exception(error)
    def judge(errors):
        for error in errors:
            yield report(error)
"""
RULE = KindRule(
    id="stack-reading",
    kind=BottleneckKind.REFLECTION,
    title="Read only the frame that is asked for, or none",
    why="Each frame's file is looked up and its line is read.",
    limits="Known by the functions of traceback and inspect.",
    find=find,
    fires_on=example(_TEXT, ("row.by =", "return traceback.ex", ("traceback.py", "extract_stack"))),
    silent_on=example(
        _TEXT, ("yield report", "format_exception", ("traceback.py", "format_exception"))
    ),
)
