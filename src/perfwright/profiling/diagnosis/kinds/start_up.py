"""Work done while modules are imported."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import MIN_SHARE
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.run import MODULE, Run
from perfwright.profiling.diagnosis.samples import Sample, simple
from perfwright.profiling.model import Function

IMPORTING = ("_find_and_load", "_call_with_frames_removed", "import_module", "_handle_fromlist")
LARGE = 0.15
MANY = 100  # calls: a module that is there is found once, and then known
SEVERAL = 3  # modules that one function imports


def find(run: Run) -> Iterator[Claim]:
    """Yield the functions that import, or that imported modules call, at a large cost."""
    found: dict[Function, set[int]] = defaultdict(set)
    importers: dict[Function, set[int]] = defaultdict(set)
    for number, sample in enumerate(run.samples):
        function = _responsible(run, sample)
        if function is not None:
            found[function].add(number)
        importer = _imports_in_loop(run, sample)
        if importer is not None:
            importers[importer].add(number)
    for function, samples in found.items():
        yield from _claim(run, function, samples=samples, what="work at the import of modules")
    for function, samples in importers.items():
        modules = {_first_module(run.samples[number]) for number in samples} - {None}
        if len(modules) >= SEVERAL:
            what = f"imports {len(modules)} modules or more in a loop, used or not"
            yield from _claim(run, function, samples=samples, what=what)


def _claim(run: Run, function: Function, *, samples: set[int], what: str) -> Iterator[Claim]:
    share = run.share(samples)
    if share >= max(LARGE, MIN_SHARE):
        yield Claim(
            function=function,
            kind=BottleneckKind.START_UP,
            evidence=f"{100 * share:.0f} % of the time: {what}",
            confidence=0.75,
            samples=frozenset(samples),
            lines=run.ensure(function).hottest(samples),
        )


def _importing(sample: Sample) -> list[int]:
    """Depths of the import machinery in a stack."""
    return [
        i
        for i, step in enumerate(sample.steps)
        if not step.own and simple(step.function) in IMPORTING and "importlib" in step.function.file
    ]


def _responsible(run: Run, sample: Sample) -> Function | None:
    """The own function nearest to an import: what the module calls, else who imports."""
    importing = _importing(sample)
    if not importing or is_failing_import(run, sample):
        return None
    inside = [s for s in sample.steps[importing[-1] + 1 :] if s.own]
    before = [s for s in sample.steps[: importing[0]] if s.own]
    chosen = inside[-1:] or before[-1:]
    return chosen[0].function if chosen else None


def is_failing_import(run: Run, sample: Sample) -> bool:
    """Whether a module is looked for so often that it cannot be there, and none is executed."""
    importing = _importing(sample)
    if not importing or any(s.function.name == MODULE for s in sample.steps[importing[0] :]):
        return False
    importer = next((s for s in reversed(sample.steps[: importing[0]]) if s.own), None)
    return importer is not None and run.called.get(importer.function, 0) >= MANY


def _imports_in_loop(run: Run, sample: Sample) -> Function | None:
    """The outermost own function that imports in a loop."""
    importing = _importing(sample)
    before = [s for s in sample.steps[: importing[0]] if s.own] if importing else []
    source = run.source(before[-1].function) if before else None
    if source is None or before[-1].line not in source.loop_lines:
        return None
    return before[-1].function


def _first_module(sample: Sample) -> str | None:
    """The file of the outermost module that a stack imports."""
    inside = sample.steps[_importing(sample)[0] :]
    return next((s.function.file for s in inside if s.function.name == MODULE), None)


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
