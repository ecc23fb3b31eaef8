"""One query or request for each element of a list."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import MIN_SHARE, OFTEN, claim, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import MODULE, Run
from perfwright.profiling.diagnosis.samples import simple
from perfwright.profiling.diagnosis.source import FunctionSource, Loop
from perfwright.profiling.diagnosis.syntax import (
    callee,
    dotted,
    names_in,
    text,
)
from perfwright.profiling.diagnosis.traversal import LITERALS, is_rehearsal, iterated
from perfwright.profiling.model import Function

QUERIES = {"execute", "fetchrow", "fetchval", "scalar", "scalars", "query_one", "fetch_one"}
FETCHES = {"fetchone", "fetchall", "fetchmany"}
LOADERS = {"__get__", "__getattr__", "__getattribute__"}
NEAR = 2  # calls from what starts the program to the query, if its loop is to be blamed
MAX_HELPERS = 5  # calls between the loop and the query
CLIENTS = ("requests", "httpx", "urllib.request", "urllib3")
DRIVERS = (
    "sqlalchemy/",
    "psycopg/",
    "psycopg2/",
    "pymysql/",
    "django/db/",
    "peewee.py",
    "aiosqlite/",
    "http/client.py",
    "urllib/request.py",
    "urllib3/",
    "requests/",
    "httpx/",
    "socket.py",
    "ssl.py",
    "smtplib.py",
    "ftplib.py",
    "redis/",
    "pymongo/",
)


def find(run: Run) -> Iterator[Claim]:
    """Yield the functions that query, and the loops that call them for each element."""
    for place, source in readable(run):
        nodes = [n for n in source.nodes if isinstance(n, ast.Call) and _asks(n, source)]
        asked = frozenset[int]().union(*(place.with_foreign(end) for end in DRIVERS))
        samples = asked | place.charged_on(*nodes, *_readers(source, nodes))
        if asked and not nodes:
            nodes = [
                n
                for n in source.nodes
                if isinstance(n, ast.Call)
                and place.charged_on(n) & asked
                and not _serves(run, asked)
            ]
        if not nodes or run.share(samples) < MIN_SHARE:
            continue
        own_loop = [n for n in nodes if _is_per_element(source, n)]
        if own_loop and matters(place, place.charged_on(*own_loop)):
            yield _claim(place, place.charged_on(*own_loop), nodes=own_loop, confidence=0.85)
        elif matters(place, samples):
            yield from _called_in_loop(run, place, samples=samples, nodes=nodes)


def _asks(node: ast.Call, source: FunctionSource) -> bool:
    if isinstance(node.func, ast.Attribute) and node.func.attr in QUERIES | FETCHES:
        return True
    return callee(node, of=source).startswith(tuple(f"{name}." for name in CLIENTS))


def _readers(source: FunctionSource, queries: list[ast.Call]) -> Iterator[ast.AST]:
    """Loops over the answer: a cursor works while it is read."""
    inside = {id(node) for query in queries for node in ast.walk(query)}
    names = set[str]()
    for node in source.nodes:
        if isinstance(node, ast.Assign) and any(id(n) in inside for n in ast.walk(node.value)):
            names |= names_in(*node.targets)
    for node in source.nodes:
        over = node.iter if isinstance(node, ast.For | ast.comprehension) else None
        if over is not None and names_in(over) & names:
            yield source.module.parents[node] if isinstance(node, ast.comprehension) else node


def _serves(run: Run, samples: frozenset[int]) -> bool:
    """Whether a server answers here, so that others ask."""
    ends = ("socketserver.py", "http/server.py", "aiohttp/web_protocol.py")
    return any(step.function.file.endswith(ends) for n in samples for step in run.samples[n].steps)


def _is_per_element(source: FunctionSource, node: ast.AST) -> bool:
    around = source.loops_around(node)
    return any(not isinstance(loop, ast.While) and _has_elements(loop) for loop in around)


def _has_elements(loop: Loop) -> bool:
    """Whether it goes through more than a few things that the text names, or a count of turns."""
    return not is_rehearsal(loop) and not isinstance(iterated(loop), LITERALS)


def _called_in_loop(
    run: Run, place: Place, *, samples: frozenset[int], nodes: list[ast.Call]
) -> Iterator[Claim]:
    """The function that loops, some calls further out; and, less so, the one that asks."""
    if place.calls is not None and place.calls < OFTEN:
        return
    looping: dict[Place, set[int]] = {}
    for number in samples:
        steps = [s for s in run.samples[number].steps if s.own]
        below = max(i for i, s in enumerate(steps) if s.function == place.function)
        for depth in range(below - 1, max(-1, below - MAX_HELPERS - 1), -1):
            outer = run.place(steps[depth].function)
            called = steps[depth + 1].function
            if below - depth > NEAR and not any(s.function.name != MODULE for s in steps[:depth]):
                break  # the program's own input: orders, pages, requests
            if outer and _goes_through(outer, steps[depth].line, called=called):
                looping.setdefault(outer, set()).add(number)
                break
    for outer, numbers in looping.items():
        if run.seconds(numbers) >= 0.3 * run.seconds(samples):
            yield _claim(outer, frozenset(numbers), nodes=[], confidence=0.8, asked_by=place)
            yield _claim(place, frozenset(numbers), nodes=nodes, confidence=0.75)
            yield from _lazy(run, place, outer=outer, samples=numbers)
            return


def _goes_through(place: Place, line: int, *, called: Function) -> bool:
    """Whether a line calls a function for each of several elements, and not only to repeat it."""
    source, run = place.source, place.run
    if source is None:
        return False
    times = run.callers[called][place.function] if called in run.callers else 0
    if times and place.calls and times < 2 * place.calls:
        return False
    asking = [n for n in source.module.at_line(line) if isinstance(n, ast.Call | ast.Attribute)]
    around = [loop for node in asking for loop in source.loops_around(node)]
    if line in source.loop_lines and any(map(_has_elements, around)):
        return True
    return any(isinstance(n, ast.Call) and callee(n, of=source) == "map" for n in asking)


def _lazy(run: Run, asking: Place, *, outer: Place, samples: set[int]) -> Iterator[Claim]:
    """What makes a query out of the reading of an attribute, which the loop does not show."""
    found: dict[Function, set[int]] = {}
    for number in samples:
        steps = [s.function for s in run.samples[number].steps if s.own]
        first = steps.index(outer.function) + 1
        for function in steps[first : steps.index(asking.function, first)]:
            if _reads_attribute(run, function):
                found.setdefault(function, set()).add(number)
                break
    for function, numbers in found.items():
        if run.seconds(numbers) >= 0.3 * run.seconds(samples):
            yield claim(
                run.ensure(function),
                BottleneckKind.N_PLUS_ONE,
                samples=frozenset(numbers),
                confidence=0.85,
                evidence="an attribute is loaded when it is read: one query or request for each "
                f"element that {outer.function.name} goes through",
            )


def _reads_attribute(run: Run, function: Function) -> bool:
    source = run.source(function)
    return simple(function) in LOADERS or (
        source is not None
        and any(
            dotted(d).rpartition(".")[2] in {"property", "cached_property"}
            for d in source.node.decorator_list
        )
    )


def _claim(
    place: Place,
    samples: frozenset[int],
    *,
    nodes: list[ast.Call],
    confidence: float,
    asked_by: Place | None = None,
) -> Claim:
    how = f"through {asked_by.function.name}" if asked_by else f"by `{text(nodes[0])}`"
    return claim(
        place,
        BottleneckKind.N_PLUS_ONE,
        samples=samples,
        confidence=confidence,
        evidence=f"one query or request for each element {how}",
        nodes=nodes,
    )


_TEXT = """
    def lines_of(db, order):
        return db.execute("SELECT * FROM line WHERE order_id = ?", (order,)).fetchall()
    def report(db, orders):
        for order in orders:
            yield lines_of(db, order)
    def all_lines(db):
        return db.execute("SELECT * FROM line").fetchall()
    def run(db):
        return all_lines(db)
"""
RULE = KindRule(
    id="n-plus-one",
    kind=BottleneckKind.N_PLUS_ONE,
    title="Ask once for all of them",
    why="Each query pays for a round trip, planning and a transaction.",
    limits="Clients are known by the names of their methods.",
    find=find,
    fires_on=example(_TEXT, ("yield lines_of", "WHERE order_id")),
    silent_on=example(_TEXT, ("return all_lines", '"SELECT * FROM line"')),
)
