"""Plans of PostgreSQL, read from EXPLAIN (FORMAT JSON)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from perfwright.agents.database.artifacts import PlanStep

ROWS_PER_BUFFER = 25.0
"""Rows to check that are as much work as one buffer to find: see docs/design/postgresql.md."""

_SCANS = frozenset({"Seq Scan", "Sample Scan", "Parallel Seq Scan"})
_INDEXED = frozenset({"Index Scan", "Index Only Scan"})
_SORTS = frozenset({"Sort", "Incremental Sort"})
_BUFFERS = (
    "Shared Hit Blocks",
    "Shared Read Blocks",
    "Local Hit Blocks",
    "Local Read Blocks",
    "Temp Read Blocks",
    "Temp Written Blocks",
)
_TEMPORARY = ("Temp Read Blocks", "Temp Written Blocks")
_CONDITIONS = ("Filter", "Recheck Cond", "Index Cond", "Join Filter", "Hash Cond", "Merge Cond")
_REMOVED = (
    "Rows Removed by Filter",
    "Rows Removed by Index Recheck",
    "Rows Removed by Join Filter",
)

Node = dict[str, Any]
"""One node of a plan; PostgreSQL's own keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One plan, executed or not."""

    steps: tuple[PlanStep, ...]
    signature: tuple[str, ...]
    """All that decides what work is done: equal for equal plans, whatever the estimates."""
    pages: float = 0.0
    visits: float = 0.0
    """Rows that scans looked at and other steps took in."""
    rows: float = 0.0
    seconds: float = 0.0
    temp_pages: float = 0.0
    """Pages of temporary files, written and read."""
    lossy_pages: float = 0.0
    """Pages of which a bitmap had no memory to note the rows."""
    jit_functions: float = 0.0
    """Functions that are compiled for it."""
    workers: float = 0.0
    """Parallel workers that it asks for."""
    planned_cost: float = 0.0
    """What the planner expects, in its units: 1 for a page read in order."""

    @property
    def work(self) -> float:
        """Buffers, and rows at `ROWS_PER_BUFFER`."""
        return self.pages + self.visits / ROWS_PER_BUFFER


def read_plan(document: object) -> Plan:
    """Read what EXPLAIN (FORMAT JSON) returned."""
    top: Node = document[0] if isinstance(document, list) and document else {}
    root: Node = top.get("Plan", {})
    nodes = list(_walk(root, depth=0))
    triggers = top.get("Triggers", [])
    return Plan(
        steps=tuple(step for node, _ in nodes if (step := _step(node)) is not None),
        signature=(
            *(_signature(node, depth=depth) for node, depth in nodes),
            *(("JIT",) if "JIT" in top else ()),
        ),
        pages=_buffers(root),
        visits=sum(_visits(node) for node, _ in nodes)
        + sum(float(t.get("Calls", 0)) for t in triggers),
        rows=_actual(root) or 0.0,
        seconds=float(top.get("Execution Time", 0.0)) / 1e3,
        temp_pages=float(sum(root.get(key, 0) for key in _TEMPORARY)),
        lossy_pages=float(sum(node.get("Lossy Heap Blocks", 0) for node, _ in nodes)),
        jit_functions=float(top.get("JIT", {}).get("Functions", 0)),
        planned_cost=float(root.get("Total Cost", 0.0)),
        workers=float(sum(node.get("Workers Planned", 0) for node, _ in nodes)),
    )


def _walk(node: Node, *, depth: int) -> Iterator[tuple[Node, int]]:
    yield node, depth
    for child in node.get("Plans", []):
        yield from _walk(child, depth=depth + 1)


def _buffers(node: Node) -> float:
    return float(sum(node.get(key, 0) for key in _BUFFERS))


def _own_buffers(node: Node) -> float:
    return max(0.0, _buffers(node) - sum(map(_buffers, node.get("Plans", []))))


def _loops(node: Node) -> float:
    return float(node.get("Actual Loops", 1))


def _actual(node: Node) -> float | None:
    """Rows over all loops; None where the plan was not executed."""
    rows = node.get("Actual Rows")
    return None if rows is None else float(rows) * _loops(node)


def _removed(node: Node) -> float:
    return sum(float(node.get(key, 0)) for key in _REMOVED) * _loops(node)


def _visits(node: Node) -> float:
    return (_actual(node) or 0.0) + _removed(node)


def _step(node: Node) -> PlanStep | None:
    kind = str(node.get("Node Type", ""))
    if kind in _SCANS:
        return _scan(node, index=None)
    if kind in _INDEXED:
        return _scan(node, index=str(node.get("Index Name")))
    if kind == "Bitmap Heap Scan":
        used = [str(inner["Index Name"]) for inner, _ in _walk(node, depth=0) if _is_bitmap(inner)]
        return _scan(node, index=used[0] if used else None)
    if kind == "Bitmap Index Scan":  # further ones of a BitmapAnd or BitmapOr are found by name
        return PlanStep(detail=f"{kind} using {node['Index Name']}", index=str(node["Index Name"]))
    if kind in _SORTS:
        below = next((n.get("Alias") for n, _ in _walk(node, depth=0) if "Alias" in n), None)
        detail = f"{kind} by {', '.join(map(str, node.get('Sort Key', [])))}"
        return PlanStep(
            detail=detail, table=below, action="sort", rows=_actual(node), pages=_own_buffers(node)
        )
    return None


def _is_bitmap(node: Node) -> bool:
    return node.get("Node Type") == "Bitmap Index Scan"


def _scan(node: Node, *, index: str | None) -> PlanStep:
    kind = str(node["Node Type"])
    bounded = kind == "Bitmap Heap Scan" or bool(node.get("Index Cond"))
    name = node.get("Relation Name", "")
    return PlanStep(
        detail=f"{kind} on {name}" + (f" using {index}" if index else ""),
        table=str(node.get("Alias", name)),
        index=index,
        action="search" if bounded else "scan",
        covering=kind == "Index Only Scan",
        expected_rows=float(node.get("Plan Rows", 0)) * _loops(node),
        rows=_actual(node),
        removed=_removed(node),
        pages=_own_buffers(node)
        + sum(_own_buffers(inner) for inner, _ in _walk(node, depth=0) if _is_bitmap(inner)),
        condition=str(node.get("Filter", "")),
    )


def _signature(node: Node, *, depth: int) -> str:
    keys = (
        *("Node Type", "Strategy", "Join Type", "Relation Name", "Alias", "Index Name"),
        "Workers Planned",
    )
    words = [str(node[key]) for key in keys if key in node]
    words += [f"{key}: {node[key]}" for key in _CONDITIONS if key in node]
    words += [
        f"by {node[key]}" for key in ("Sort Key", "Group Key", "Presorted Key") if key in node
    ]
    return f"{depth} " + " ".join(words)
