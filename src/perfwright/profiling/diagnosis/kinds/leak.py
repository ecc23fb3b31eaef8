"""Memory that is kept for good."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.diagnosis.keeping import (
    BOUNDED,
    FOR_GOOD,
    Keeper,
    is_asked_elsewhere,
    keeper,
    named_keeper,
)
from perfwright.profiling.diagnosis.run import MODULE, Run
from perfwright.profiling.diagnosis.samples import simple
from perfwright.profiling.diagnosis.source import MAKERS, FunctionSource
from perfwright.profiling.diagnosis.syntax import calls, dotted
from perfwright.profiling.model import Frame, Function, Leak, Memory

MIN_BYTES = 1 << 20
HALF_BYTES = 2 << 20  # a leak of this size counts half
GREW = 0.75
NEVER_AGAIN = 0.8  # of the keys that were looked at are different ones
MOSTLY = 0.8
MANY_CALLS = 500
MADE = (ast.Tuple, ast.JoinedStr, ast.BinOp, ast.Call)
MIN_HELD = 1 << 18  # of one line at the end of a short run


@dataclass(frozen=True, slots=True)
class _Blame:
    """Who keeps, how, at which line, and how surely."""

    function: Function
    why: str
    line: int
    certainty: float
    only_put: bool = False
    """Kept for good, and nobody else asks for it."""


@dataclass(slots=True)
class _Suspect:
    """A function that keeps things, with all that it was seen to keep."""

    blame: _Blame
    leak: Leak
    """The surest of what it keeps."""
    size_bytes: int = 0
    certainty: float = 0.0


def find(run: Run) -> Iterator[Claim]:
    """Yield the functions that put what grew throughout the run into something that stays."""
    memory = run.profile.memory
    if memory is None:
        return
    grown = sum(a.size_bytes for a in memory.growth) or memory.end_bytes - memory.start_bytes
    grown = max(grown, 1)
    for suspect in _suspects(run, memory):
        size = suspect.size_bytes
        function = suspect.blame.function
        if size >= max(MIN_BYTES, 0.1 * grown) and not _is_filled_once(run, function):
            yield _claim(suspect, grown=grown)


def _suspects(run: Run, memory: Memory) -> Iterable[_Suspect]:
    found: dict[Function, _Suspect] = {}
    for leak in memory.leaks or _held_at_end(memory):
        kept = _keeper(run, leak)
        if kept is not None:
            suspect = found.setdefault(kept.function, _Suspect(kept, leak))
            suspect.size_bytes += leak.growth_bytes
            seen = max(leak.confidence, _least_sure(run, kept, leak=leak))
            if kept.certainty * seen > suspect.certainty:
                suspect.certainty = kept.certainty * seen
                suspect.blame, suspect.leak = kept, leak
    return found.values()


def _least_sure(run: Run, kept: _Blame, *, leak: Leak) -> float:
    """How sure it is to grow on, whatever few snapshots show: each call of many adds to it."""
    many = run.called.get(kept.function, 0) >= MANY_CALLS
    return 0.6 if many and kept.only_put and leak.slope_bytes_per_s > 0 else 0.5


def _claim(suspect: _Suspect, *, grown: int) -> Claim:
    size, leak = suspect.size_bytes, suspect.leak
    held = f", held by {leak.owner}" if leak.owner else ""
    return Claim(
        function=suspect.blame.function,
        kind=BottleneckKind.LEAK,
        evidence=f"{size / 2**20:.1f} MB more from snapshot to snapshot, {suspect.blame.why}{held}",
        confidence=suspect.certainty,
        share=min(1.0, size / grown) * size / (size + HALF_BYTES),
        lines=(suspect.blame.line,),
        memory_bytes=size,
    )


def _held_at_end(memory: Memory) -> Iterator[Leak]:
    """What a run too short to show a slope left behind, as weaker suspects."""
    for allocation in memory.growth:
        if allocation.size_bytes >= MIN_HELD:
            yield Leak(
                frame=allocation.frame,
                growth_bytes=allocation.size_bytes,
                slope_bytes_per_s=0.0,
                owner="",
                confidence=0.6,
            )


def _keeper(run: Run, leak: Leak) -> _Blame | None:
    """The function that keeps what was allocated at a line, how, and how surely."""
    owned = named_keeper(run, _container(leak.owner)) if leak.owner else None
    if owned is not None:
        # It grew for all that is taken out of it: what is taken is not what is put in.
        seen = GREW if leak.slope_bytes_per_s > 0 else 0.0
        certainty = max(owned.certainty, seen)
        return _kept(run, replace(owned, certainty=certainty))
    source = _allocating(run, leak)
    if source is None:
        return None
    near = (source, *_methods(source), *_around(run, source))
    cached = next((s for s in near if _is_cached(s)), None)
    if cached is not None:
        return _Blame(cached.function, "kept by a cache without bound", cached.first_line, 0.95)
    best = max(_keepers(run, source), key=lambda k: k.certainty, default=None)
    if best is not None and best.certainty > BOUNDED:
        made = "" if best.function == source.function else f"made in {source.name} and "
        return _kept(run, best, made=made)
    sure = 0.6 if leak.owner else 0.4
    return _Blame(source.function, "allocated here", _line_in(run, source, leak=leak), sure)


def _line_in(run: Run, source: FunctionSource, *, leak: Leak) -> int:
    """The line of the allocation; where a library allocates, the one that was seen to call it."""
    file = leak.frame.function.file
    if file == source.module.file:
        return leak.frame.line
    place = run.ensure(source.function)
    return next(iter(place.hottest(place.with_foreign(file))), source.first_line)


def _kept(run: Run, by: Keeper, *, made: str = "") -> _Blame:
    """Who is to blame for what somebody keeps: that function, or who makes its keys."""
    why = f"{made}kept by `{by.statement}`"
    maker = _maker_of_keys(run, by.function)
    if maker is None:
        only_put = by.certainty >= FOR_GOOD and not is_asked_elsewhere(run, by)
        return _Blame(by.function, why, by.line, by.certainty, only_put)
    function, line = maker
    why = f"{why} under keys made here, nearly all of them different"
    return _Blame(function, why, line, by.certainty)


def _maker_of_keys(run: Run, function: Function) -> tuple[Function, int] | None:
    """Who makes the keys of a cache that never finds anything again: its only caller, mostly."""
    source, callers = run.source(function), run.callers.get(function)
    if source is None or not callers:
        return None
    (best, count), *_ = callers.most_common(1)
    caller = run.source(best)
    if caller is None or not run.own.owns(best) or count < MOSTLY * sum(callers.values()):
        return None
    names = [arg.arg for arg in source.node.args.args if arg.arg not in {"self", "cls"}]
    for name in _keys(source) & set(names):
        for call in calls(caller, f".{source.node.name}", source.node.name):
            key = call.args[names.index(name)] if names.index(name) < len(call.args) else None
            values = caller.assigned.get(dotted(key), []) if key else []
            made = any(isinstance(part, MADE) for part in (key, *values))
            if made and (run.different_part(function, name) or 0.0) >= NEVER_AGAIN:
                return best, getattr(next(iter(values), key), "lineno", call.lineno)
    return None


def _keys(source: FunctionSource) -> set[str]:
    """Names that something is stored under."""
    return {
        path
        for node in source.nodes
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
        if (path := dotted(node.slice))
    }


def _methods(source: FunctionSource) -> list[FunctionSource]:
    """Methods of the class whose object is made here: a cache of one of them keeps the object."""
    if source.node.name not in MAKERS:
        return []
    return [f for f in source.module.functions if f.owner is source.owner and f is not source]


def _container(owner: str) -> str:
    """`_by_token` of an owner such as `shop.cache:Store._by_token (dict)`."""
    _, _, closed_over = owner.partition("closing over ")
    whole = closed_over or owner.partition(":")[2]
    return whole.partition(" ")[0].partition("[")[0].rpartition(".")[2]


def _allocating(run: Run, leak: Leak) -> FunctionSource | None:
    """The own function around the line; of a library's line, the own one seen to call there."""
    nearest = run.nearest_own([leak.frame])
    if nearest is not None:
        module = run.module(nearest[0].file)
        return module.function_at(leak.frame.line) if module else None
    file = leak.frame.function.file
    inside = [place for place in run.places if place.source and place.with_foreign(file)]
    chosen = max(inside, key=lambda p: run.seconds(p.with_foreign(file)), default=None)
    return chosen.source if chosen else None


def _keepers(run: Run, source: FunctionSource) -> Iterator[Keeper]:
    """Functions that keep things: this one, whom it hands its results to, and who calls it."""
    below = run.text_calls.below
    callers = _around(run, source)
    handed_on = [s for caller in callers[:2] for s in below(caller)]
    for other in dict.fromkeys((source, *below(source), *callers, *handed_on)):
        found = keeper(run, other)
        if found is not None:
            yield found


def _around(run: Run, source: FunctionSource) -> list[FunctionSource]:
    """Functions that call it, or make its class, up to two calls further out."""
    counted = map(run.source, run.callers.get(source.function, ()))
    nearest = [*run.text_calls.around([source]), *filter(None, counted)]
    return list(dict.fromkeys((*nearest, *run.text_calls.around(nearest))))


def _is_cached(source: FunctionSource) -> bool:
    for decorator in source.node.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = dotted(target).rpartition(".")[2]
        if name == "cache":
            return True
        if name == "lru_cache" and isinstance(decorator, ast.Call):
            arguments = [*decorator.args, *(k.value for k in decorator.keywords)]
            return any(isinstance(a, ast.Constant) and a.value is None for a in arguments)
    return False


def _is_filled_once(run: Run, function: Function) -> bool:
    """Whether it ran while modules were imported, so that it made a table and no leak."""
    place = run.place(function)
    importing = "_call_with_frames_removed"
    if place is not None and place.passed:
        early = [
            n
            for n in place.passed
            if any(simple(s.function) == importing for s in run.samples[n].steps)
        ]
        return run.seconds(early) > 0.5 * place.cumulative_s
    return function.name == MODULE


_TEXT = """
    SEEN = []
    def handle(request):
        SEEN.append(request.body.decode())
    def total(rows):
        parts = []
        for row in rows:
            parts.append(str(row))
        return sum(parts)
"""


def _memory(where: str, size: int) -> Memory:
    frame: Frame = frame_of(_TEXT, where)
    return Memory(
        start_bytes=0,
        end_bytes=size,
        peak_bytes=size,
        leaks=(
            Leak(
                frame=frame,
                growth_bytes=size,
                slope_bytes_per_s=1e6,
                owner="",
                confidence=0.9,
            ),
        ),
    )


RULE = KindRule(
    id="leak",
    kind=BottleneckKind.LEAK,
    title="Bound what is kept, or drop it when it is done with",
    why="Memory that only grows ends with the process.",
    limits="A result that is being collected on purpose grows as well.",
    find=find,
    fires_on=example(_TEXT, memory=_memory("SEEN.append", 8 << 20)),
    silent_on=example(_TEXT, memory=_memory("SEEN.append", 8 << 10)),
)
