"""How often an expression was executed at least, as counted calls tell, and what each time took.

What copies, scans or moves a few elements takes no longer than any other step of the interpreter.
Such a line may cost much in all, yet not for the reason that its text suggests.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.source import FUNCTIONS, LOOPS, FunctionSource
from perfwright.profiling.diagnosis.syntax import method

STEP_S = 0.5e-6
"""An operation that takes less touches a few elements at most."""
SEARCH_S = 4e-6
"""The same of a loop in Python code."""
JUMPS = (ast.Return, ast.Raise, ast.Break, ast.Continue)
BRANCHES = (ast.If, ast.Try, ast.IfExp, ast.ExceptHandler, ast.match_case)
INNER = (*FUNCTIONS, *LOOPS, ast.Lambda)


def is_small(
    place: Place, node: ast.AST, *, samples: Iterable[int], limit_s: float = STEP_S
) -> bool:
    """Whether calls were counted, and each execution took less than this."""
    each_s = seconds_each(place, node, samples=samples)
    return each_s is not None and each_s < limit_s


def seconds_each(place: Place, node: ast.AST, *, samples: Iterable[int]) -> float | None:
    """What one execution took at most; None where nothing tells how many there were."""
    counted_s = _counted_each(place, node)
    if counted_s is not None:
        return counted_s
    times = executions(place, node)
    return place.run.seconds(samples) / times if times else None


def _counted_each(place: Place, node: ast.AST) -> float | None:
    """What a call of a library took on the average, as counted; None of anything else."""
    call = node.value if isinstance(node, ast.Assign | ast.Expr) else node
    source = place.source
    if source is None or not isinstance(call, ast.Call) or not _is_the_only_one(call, source):
        return None
    if call.keywords or any(isinstance(arg, ast.GeneratorExp | ast.Lambda) for arg in call.args):
        return None  # Python code that it executes counts for it
    return place.run.seconds_each_call(place.function, method(call))


def executions(place: Place, node: ast.AST) -> int | None:
    """The least number of executions that counted calls vouch for; None if they do not."""
    source = place.source
    if source is None or not place.calls:
        return None
    block, loop = _block(source, node)
    first = _last_jump(loop or source.node, before=node)
    counts = [
        place.run.counted(place.function, method(call))
        for call in _calls(block)
        if call.lineno > first and _is_the_only_one(call, source)
    ]
    if loop is None and block == source.node.body and not first:
        counts.append(place.calls)
    return max(filter(None, counts), default=None)


def _block(source: FunctionSource, node: ast.AST) -> tuple[list[ast.AST], ast.AST | None]:
    """What is executed exactly as often as the node, and the loop whose turns do so."""
    loops = source.loops_around(node)
    loop = loops[0] if loops else None
    here = node
    while (parent := source.module.parents[here]) is not loop and parent is not source.node:
        is_later = isinstance(parent, ast.BoolOp) and parent.values[0] is not here
        is_test = here is getattr(parent, "test", None)
        if is_later or (isinstance(parent, BRANCHES) and not is_test):
            return _beside(here, parent), loop
        here = parent
    beside = _beside(here, parent)
    return ([parent.test, *beside] if isinstance(parent, ast.While) else beside), loop


def _beside(node: ast.AST, parent: ast.AST) -> list[ast.AST]:
    """The block of statements that the node is one of, or the node itself."""
    blocks = (getattr(parent, name, None) for name in ("body", "orelse", "finalbody"))
    return next((b for b in blocks if isinstance(b, list) and node in b), [node])


def _last_jump(around: ast.AST, *, before: ast.AST) -> int:
    """The line of the last statement before a node that may leave it out; 0 if there is none."""
    end = getattr(before, "lineno", 0)
    lines = [n.lineno for n in ast.walk(around) if isinstance(n, JUMPS) and n.lineno < end]
    return max(lines, default=0)


def _calls(block: Iterable[ast.AST]) -> Iterator[ast.Call]:
    """Calls in a block, not those of the functions and loops within it."""
    stack = list(block)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Call):
            yield node
        if not isinstance(node, INNER):
            stack.extend(ast.iter_child_nodes(node))


def _is_the_only_one(call: ast.Call, source: FunctionSource) -> bool:
    """Whether no other call in the function has its name, so that the counted ones are its own."""
    return [method(n) for n in source.nodes if isinstance(n, ast.Call)].count(method(call)) == 1
