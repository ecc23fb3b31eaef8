"""Takes out of sampled times what counting every call added to them.

Under cProfile a program runs up to several times slower, and functions that call much most of all:
their share of the samples is not their share of the program. What a counted call adds is measured
on this machine after the run, by kind of call; what interpreting the rest adds is told from the
instructions of each function.

cProfile reads a clock of all time: on a busy machine a call of a microsecond may have ten by it.
So its times are taken for CPU only by the share that the samples of the function had.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import CodeType

from perfwright.profiling.counting_cost import FREE_DOUBLINGS, CountingCost
from perfwright.profiling.diagnosis.landing import landing_lines
from perfwright.profiling.diagnosis.source import FunctionSource, ModuleSource
from perfwright.profiling.interpreting import Mix, codes_of, mix_of
from perfwright.profiling.model import Call, Function, Stack

LEAST_SHARE = 0.1
"""Of a function's sampled time, always left to it: a loop of `rows.append(row)` runs 8 times slower
under cProfile (CPython 3.11), and nothing was seen to run 10 times slower."""
_TO_CALL_NS = 30.0
"""Preparing a call in its caller, as in `interpreting`: seen once the function has begun."""
_MOST_DOUBLINGS = 6.0
"""Beyond 64 functions a call costs hardly more."""
_SUSPENDS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def without_counting(
    stacks: Iterable[Stack],
    calls: Sequence[Call],
    *,
    cost: CountingCost,
    sources: Mapping[str, str] | None = None,
) -> tuple[Stack, ...]:
    """Return the stacks with the times that they would have had, had nobody counted calls.

    Args:
        stacks: As sampled while calls were counted.
        calls: What was counted.
        cost: What counting adds here.
        sources: The text of own files; that of others is read where they can be.
    """
    stacks = tuple(stacks)
    files = _Files(sources or {})
    counted = _by_function(stacks, calls, cost=cost, files=files)
    _even_out(counted)
    left = {
        function: each.left(cost.ratio(files.mix(function)))
        for function, each in counted.items()
        if each.seen_s > 0.0
    }

    def corrected(stack: Stack) -> Stack:
        where = stack.frames[-1]
        each = counted.get(where.function)
        if each is None or not each.is_counted:
            return stack
        if where.line in files.scanning(where.function.file):
            return _scaled(stack, each.left(1.0))
        return _scaled(stack, left.get(where.function, 1.0))

    return tuple(corrected(stack) for stack in stacks)


class _Files:
    """What is known of files by their text."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources
        self._codes: dict[str, dict[tuple[str, int], CodeType]] = {}
        self._mixes: dict[Function, Mix | None] = {}
        self._scanning: dict[str, frozenset[int]] = {}

    def code(self, function: Function) -> CodeType | None:
        """Return the compiled code of a function, if its file is as it was."""
        file = function.file
        if file not in self._codes:
            text = self._sources.get(file) or "".join(linecache.getlines(file))
            self._codes[file] = codes_of(text, file) if text else {}
        return self._codes[file].get((function.name, function.line))

    def mix(self, function: Function) -> Mix | None:
        """Return the instructions of a function, as far as they are known."""
        if function not in self._mixes:
            code = self.code(function)
            self._mixes[function] = None if code is None else mix_of(code)
        return self._mixes[function]

    def scanning(self, file: str) -> frozenset[int]:
        """Lines of an own file that spend their time in an operator."""
        if file not in self._scanning:
            self._scanning[file] = scanning_lines(self._sources.get(file, ""))
        return self._scanning[file]


def scanning_lines(source: str) -> frozenset[int]:
    """Find lines that search or copy by an operator, which runs as fast as ever.

    These are `x in rows`, `rows[1:]`, `del rows[1]`, and where the time of that is seen; none if
    the source is no Python.
    """
    module = ModuleSource.parse(source, file="")
    if module is None:
        return frozenset()
    nodes = (node for node in ast.walk(module.tree) if isinstance(node, ast.stmt | ast.expr))
    landings = (
        landing_lines(function, node) - _heads(function)
        for function in module.functions
        for node in function.nodes
        if _scans(node)
    )
    return frozenset(node.lineno for node in nodes if _scans(node)).union(*landings)


def _heads(function: FunctionSource) -> set[int]:
    """Return where functions and loops begin: all of a loop's turns are seen there."""
    loops = (node.lineno for node in function.nodes if isinstance(node, ast.For | ast.While))
    return {function.first_line, function.node.lineno, *loops}


def _scans(node: ast.AST) -> bool:
    match node:
        case ast.Compare(ops=ops):
            return any(isinstance(each, ast.In | ast.NotIn) for each in ops)
        case ast.Slice() | ast.Delete(targets=[ast.Subscript()]):
            return True
        case _:
            return False


@dataclass(slots=True)
class _Counted:
    """Of one function, in seconds of CPU under the counter."""

    seen_s: float = 0.0
    """In samples."""
    wall_s: float = 0.0
    """By the clock, when they were taken."""
    waited_s: float = 0.0
    added_s: float = 0.0
    builtin_s: float = 0.0
    """In C functions, which run as fast as ever."""
    is_counted: bool = False
    most_interpreted_s: float = math.inf
    """What interpreting can take at most: each instruction of a function without loops runs once a
    call. The rest is C code that cProfile does not see, such as that of a type that is called."""
    beside: defaultdict[Function, float] = field(default_factory=lambda: defaultdict(float))
    """The functions that share what is added, and how much is added by calls between both."""

    @property
    def cpu_ratio(self) -> float:
        """CPU per second of cProfile's clock, without waiting."""
        return min(1.0, self.seen_s / self.wall_s) if self.wall_s > 0.0 else 1.0

    def left(self, ratio: float) -> float:
        """Return which part of the time is left without the counter."""
        builtin_s = min(self.builtin_s, self.seen_s)
        interpreted_s = max(0.0, self.seen_s - builtin_s - self.added_s)
        saved_s = min(interpreted_s, self.most_interpreted_s) * (1.0 - 1.0 / ratio)
        left_s = builtin_s + interpreted_s - saved_s
        return min(1.0, max(LEAST_SHARE, left_s / self.seen_s)) if self.seen_s else 1.0


def _by_function(
    stacks: Sequence[Stack], calls: Sequence[Call], *, cost: CountingCost, files: _Files
) -> dict[Function, _Counted]:
    found: defaultdict[Function, _Counted] = defaultdict(_Counted)
    for stack in stacks:
        each = found[stack.frames[-1].function]
        if stack.state == "running":
            each.seen_s += stack.cpu_s
            each.wall_s += stack.wall_s
        else:
            each.waited_s += stack.wall_s
    around = _Around(calls)
    clocked: defaultdict[Function, float] = defaultdict(float)
    for call in calls:
        tree_s = around.doublings(call) * cost.doubling_s
        if call.callee.file != "~":
            _add_python(found, call, cost=cost, tree_s=tree_s, files=files)
        elif call.caller is not None:
            caller = found[call.caller]
            caller.is_counted = True
            caller.added_s += call.count * (cost.builtin_s + tree_s)
            clocked[call.caller] += call.self_s
            caller.builtin_s -= call.count * (cost.clocked_s + tree_s / 2.0)
    for function, seconds in clocked.items():
        each = found[function]
        in_c_s = max(0.0, seconds - each.waited_s) * each.cpu_ratio
        each.builtin_s = max(0.0, each.builtin_s + in_c_s)
    return found


class _Around:
    """How many functions are called in turn with another one."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._callees: defaultdict[Function | None, dict[Function, int]] = defaultdict(dict)
        self._callers: defaultdict[Function, set[Function]] = defaultdict(set)
        for call in calls:
            self._callees[call.caller][call.callee] = call.count
            if call.caller is not None:
                self._callers[call.callee].add(call.caller)

    def doublings(self, call: Call) -> float:
        """Return the entropy (bits) of the calls near this one, less what costs nothing."""
        counts: defaultdict[Function, int] = defaultdict(int)
        near = {call.callee}
        if call.caller is not None:
            near |= {call.caller, *self._callers[call.caller]}
        for function in near:
            for callee, count in self._callees[function].items():
                counts[callee] += count
        total = sum(counts.values())
        bits = -sum(n / total * math.log2(n / total) for n in counts.values() if n)
        return max(0.0, min(_MOST_DOUBLINGS, bits) - FREE_DOUBLINGS)


def _add_python(
    found: defaultdict[Function, _Counted],
    call: Call,
    *,
    cost: CountingCost,
    tree_s: float,
    files: _Files,
) -> None:
    callee = found[call.callee]
    callee.is_counted = True
    mix = files.mix(call.callee)
    if mix is not None and not mix.has_loops:
        if callee.most_interpreted_s == math.inf:
            callee.most_interpreted_s = 0.0
        each_ns = mix.plain + mix.added + _TO_CALL_NS
        callee.most_interpreted_s += call.count * each_ns * cost.instruction_s
    added_s = call.count * (_added_to(call, cost=cost, files=files) + tree_s)
    if call.caller is None or call.caller.file == "~":
        callee.added_s += added_s
        return
    # The counter is called when a function begins and when it ends, and the time of the second is
    # seen after it has ended: in the caller.
    caller = found[call.caller]
    caller.is_counted = True
    for each, other in ((callee, call.caller), (caller, call.callee)):
        each.added_s += added_s / 2.0
        each.beside[other] += added_s / 2.0


def _added_to(call: Call, *, cost: CountingCost, files: _Files) -> float:
    code = files.code(call.callee)
    if code is not None and code.co_flags & _SUSPENDS:
        return cost.resume_s
    name = call.callee.name.rpartition(".")[2]
    by_c = call.caller is None or call.caller.file == "~"
    return cost.from_c_s if by_c or name.startswith("__") else cost.python_s


def _even_out(counted: Mapping[Function, _Counted]) -> None:
    """Where more was added to a function than it was seen for, those beside it had the rest."""
    for each in counted.values():
        over_s = each.added_s + each.builtin_s - (1.0 - LEAST_SHARE) * each.seen_s
        shared_s = sum(each.beside.values())
        if over_s <= 0.0 or shared_s <= 0.0:
            continue
        moved_s = min(over_s, shared_s)
        each.added_s -= moved_s
        for function, seconds in each.beside.items():
            counted[function].added_s += moved_s * seconds / shared_s


def _scaled(stack: Stack, left: float) -> Stack:
    """Return the stack with a part of its processor time, and as much less of all time."""
    if left == 1.0:
        return stack
    wall_s = stack.wall_s - (1.0 - left) * stack.cpu_s
    return replace(stack, cpu_s=stack.cpu_s * left, wall_s=max(0.0, wall_s))
