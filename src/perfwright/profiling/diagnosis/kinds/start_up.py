"""Work done while modules are imported."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import MIN_SHARE
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.samples import Sample, simple
from perfwright.profiling.model import Function

IMPORTING = ("_find_and_load", "_call_with_frames_removed", "import_module", "_handle_fromlist")
LARGE = 0.15


def find(run: Run) -> Iterator[Claim]:
    """Yield the functions that import, or that imported modules call, at a large cost."""
    found: dict[Function, set[int]] = defaultdict(set)
    for number, sample in enumerate(run.samples):
        function = _responsible(sample)
        if function is not None:
            found[function].add(number)
    for function, samples in found.items():
        share = run.share(samples)
        if share >= max(LARGE, MIN_SHARE):
            place = run.ensure(function)
            yield Claim(
                function=function,
                kind=BottleneckKind.START_UP,
                evidence=f"{100 * share:.0f} % of the time: work at the import of modules",
                confidence=0.75,
                samples=frozenset(samples),
                lines=place.hottest(samples),
            )


def _responsible(sample: Sample) -> Function | None:
    """The own function nearest to an import: what the module calls, else who imports."""
    importing = [
        i
        for i, step in enumerate(sample.steps)
        if not step.own and simple(step.function) in IMPORTING and "importlib" in step.function.file
    ]
    if not importing:
        return None
    inside = [s for s in sample.steps[importing[-1] + 1 :] if s.own]
    before = [s for s in sample.steps[: importing[0]] if s.own]
    chosen = inside[-1:] or before[-1:]
    return chosen[0].function if chosen else None


_TEXT = """
    def connect(address):
        import driver
        return driver.open(address)
"""
RULE = KindRule(
    id="start-up",
    kind=BottleneckKind.START_UP,
    title="Import and prepare only what is used",
    why="A program pays for its imports before its first useful step.",
    limits="Imports that were done before the profiler started are not seen.",
    find=find,
    fires_on=example(_TEXT, ("import driver", ("importlib/_bootstrap.py", "_find_and_load"))),
    silent_on=example(_TEXT, ("driver.open",)),
)
