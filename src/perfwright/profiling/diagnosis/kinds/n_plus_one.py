"""One query or request for each element of a list."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import MIN_SHARE, claim, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import (
    callee,
    names_in,
    text,
)

QUERIES = {"execute", "fetchrow", "fetchval", "scalar", "scalars", "query_one", "fetch_one"}
FETCHES = {"fetchone", "fetchall", "fetchmany"}
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
    return any(not isinstance(loop, ast.While) for loop in source.loops_around(node))


def _called_in_loop(
    run: Run, place: Place, *, samples: frozenset[int], nodes: list[ast.Call]
) -> Iterator[Claim]:
    """The function that loops, some calls further out; and, less so, the one that asks."""
    looping: dict[Place, set[int]] = {}
    for number in samples:
        steps = [s for s in run.samples[number].steps if s.own]
        below = max(i for i, s in enumerate(steps) if s.function == place.function)
        for step in reversed(steps[max(0, below - MAX_HELPERS) : below]):
            outer = run.place(step.function)
            if outer and outer.source and step.line in outer.source.loop_lines:
                looping.setdefault(outer, set()).add(number)
                break
    for outer, numbers in looping.items():
        if run.seconds(numbers) >= 0.3 * run.seconds(samples):
            yield _claim(outer, frozenset(numbers), nodes=[], confidence=0.8, asked_by=place)
            yield _claim(place, frozenset(numbers), nodes=nodes, confidence=0.75)
            return


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
