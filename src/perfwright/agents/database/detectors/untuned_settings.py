"""Settings that do not fit how the statements ran: memory, costs, compiling, workers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from perfwright.agents.database.artifacts import Cost, DatabaseArtifacts, Observation
from perfwright.agents.database.examples import read
from perfwright.agents.database.facts import busy, is_wasteful
from perfwright.agents.database.postgresql.knobs import KnobFacts, present
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import DatabaseCounters, ServerState, Setting
from perfwright.core import Detector, Finding, Layer, Scope
from perfwright.core.units import format_size

PAGE_MS = 0.004  # to write a page of a temporary file and read it back, in the system's cache
FUNCTION_MS = 0.5  # to compile one function; with optimisation it is several times that
WORKER_MS = 2.0  # to start one worker
MIN_SHARE = 0.1  # of a statement's time
HOPE = 0.3  # of the time of statements whose plan may become another one
CACHED = 0.99  # of the blocks
MIN_BLOCKS = 10_000  # for a ratio to mean something
RANDOM_DEAR = 2.0  # times a page in order


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each setting under which statements may have been slower."""
    server = artifacts.server
    if server is None:
        return
    reads = [o for o in busy(artifacts) if not o.shape.write]
    yield from _spilled(reads, server)
    yield from _compiled(reads, server)
    yield from _cached(artifacts, reads)
    yield from _many_tables(reads, server)
    yield from _short_and_parallel(reads, server)


def _spilled(reads: list[Observation], server: ServerState) -> Iterator[Finding]:
    """Yield a finding when sorts or hashes of the workload went to disk."""
    memory = present(server, "work_mem")
    found = [(o, cost) for o in reads if (cost := o.cost) is not None and cost.temp_pages]
    if not found or memory is None:
        return
    cost_ms = sum(min(c.temp_pages * PAGE_MS, c.ms / 2) * o.shape.calls for o, c in found)
    pages = max(c.temp_pages for _, c in found)
    yield Finding(
        subject="work_mem",
        evidence=f"{_count(found)} wrote temporary files, up to {format_size(int(pages * 8192))} "
        f"written and read for one call, at work_mem {format_size(int(memory * 1024))}",
        cost=cost_ms,
        confidence=0.9,
        facts=KnobFacts(knobs=("work_mem", "hash_mem_multiplier")),
    )


def _compiled(reads: list[Observation], server: ServerState) -> Iterator[Finding]:
    """Yield a finding when compiling may have been a good part of a statement."""
    found = [
        (o, c)
        for o in reads
        if (c := o.cost) is not None and c.jit_functions * FUNCTION_MS > MIN_SHARE * c.ms
    ]
    if not found or present(server, "jit") == 0.0:
        return
    functions = max(c.jit_functions for _, c in found)
    yield Finding(
        subject="jit",
        evidence=f"up to {functions:g} functions were compiled anew for each call of "
        f"{_count(found)} that take {_times(found)}",
        cost=sum(min(c.jit_functions * FUNCTION_MS, c.ms / 2) * o.shape.calls for o, c in found),
        confidence=0.8,
        facts=KnobFacts(knobs=("jit",)),
    )


def _cached(artifacts: DatabaseArtifacts, reads: list[Observation]) -> Iterator[Finding]:
    """Yield a finding when reads scan although pages out of order come from memory as well."""
    server = artifacts.server
    counters = server.counters if server else None
    if server is None or counters is None or counters.hit_ratio is None:
        return
    blocks = counters.hit_blocks + counters.read_blocks
    dear, cheap = present(server, "random_page_cost"), server.setting("seq_page_cost")
    ordered = cheap.number if cheap and cheap.number else 1.0
    if blocks < MIN_BLOCKS or counters.hit_ratio < CACHED or dear is None:
        return
    scans = [o for o in reads if any(s.action == "scan" and is_wasteful(s) for s in o.plan)]
    if not scans or dear < RANDOM_DEAR * ordered:
        return
    cache = present(server, "effective_cache_size")
    small = cache is not None and cache * 1024 < artifacts.catalog.size_bytes
    yield Finding(
        subject="random_page_cost",
        evidence=f"{counters.hit_ratio:.1%} of {blocks} blocks were in memory, where a page out "
        f"of order costs what one in order does, and not {dear / ordered:g} times that; "
        f"{_statements(len(scans))} scan for rows",
        cost=HOPE * sum(o.total_ms for o in scans),
        confidence=0.3,
        facts=KnobFacts(knobs=("random_page_cost", *(("effective_cache_size",) if small else ()))),
    )


def _many_tables(reads: list[Observation], server: ServerState) -> Iterator[Finding]:
    """Yield a finding when statements join more tables than the planner orders."""
    for name in ("join_collapse_limit", "from_collapse_limit"):
        limit = present(server, name)
        found = [o for o in reads if limit is not None and len(o.accesses) > limit]
        if limit is not None and found:
            most = max(len(o.accesses) for o in found)
            yield Finding(
                subject=name,
                evidence=f"{_statements(len(found))} read up to {most} tables, and the planner "
                f"orders {limit:g} of them at a time",
                cost=HOPE * sum(o.total_ms for o in found),
                confidence=0.4,
                facts=KnobFacts(knobs=(name,)),
            )


def _short_and_parallel(reads: list[Observation], server: ServerState) -> Iterator[Finding]:
    """Yield a finding when starting workers may have been a good part of a statement."""
    found = [
        (o, c)
        for o in reads
        if (c := o.cost) is not None and c.workers * WORKER_MS > MIN_SHARE * c.ms
    ]
    if not found or not present(server, "max_parallel_workers_per_gather"):
        return
    yield Finding(
        subject="max_parallel_workers_per_gather",
        evidence=f"{_count(found)} that take {_times(found)} start up to "
        f"{max(c.workers for _, c in found):g} workers for each call",
        cost=sum(min(c.workers * WORKER_MS, c.ms / 2) * o.shape.calls for o, c in found),
        confidence=0.5,
        facts=KnobFacts(knobs=("max_parallel_workers_per_gather",)),
    )


def _count(found: list[tuple[Observation, Cost]]) -> str:
    return f"{_statements(len(found))} ({sum(o.shape.calls for o, _ in found)} calls)"


def _statements(number: int) -> str:
    return "1 statement" if number == 1 else f"{number} statements"


def _times(found: list[tuple[Observation, Cost]]) -> str:
    low, high = min(c.ms for _, c in found), max(c.ms for _, c in found)
    return f"{low:.1f} ms" if len(found) == 1 else f"{low:.1f} to {high:.1f} ms"


def _with(temp_pages: float) -> DatabaseArtifacts:
    seen = read()
    cost = replace(seen.cost, temp_pages=temp_pages) if seen.cost else None
    server = ServerState(
        database="shop",
        workload_role="app",
        settings=(Setting(name="work_mem", value="4096", unit="kB"),),
        counters=DatabaseCounters(hit_blocks=1_000_000),
    )
    return looked_at(server, replace(seen, cost=cost))


RULE = Detector(
    id="untuned-settings",
    layer=Layer.DATABASE,
    title="Fit the settings of the sessions to the workload",
    why="PostgreSQL's own settings suit a small machine with a disk that turns.",
    needs=("server", "workload"),
    scope=Scope.COMPREHENSIVE,
    find=find,
    limits="How much there is to gain is a guess until it is tried on the copy, which is on this "
    "machine and has it for itself: what the memory or the workers would be worth to others does "
    "not show. Settings of the whole server, such as shared_buffers, are left alone.",
    fires_on=_with(2_000.0),
    silent_on=_with(0.0),
)
