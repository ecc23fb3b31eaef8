"""Which spans of a trace cost its time: the path that, made shorter, makes the trace shorter.

The path is walked backwards from the end of the root. What ran last before a moment is what was
waited for: the child of the current span that ended last before it. Time in which no child was
waited for is the span's own. A child that still ran while a later one was started was not waited
for by it, and one that outlives its parent was not waited for at all: neither is on the path.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from perfwright.monitoring.spans import Span

OVERLAP = 0.05
"""Part of a child's time that may lie after its successor's start, or its parent's end.

Clocks are read after the work that they time: two awaits in a row overlap by a little.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A piece of the path: in it, the trace waited for this span's own work."""

    span: Span
    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one span cost its trace by itself."""

    span: Span
    seconds: float
    """On the path, in this span and in none of its children."""
    ratio: float
    """Of the trace's time, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalPath:
    """Where the time of one trace went."""

    root: Span | None
    """None: there was nothing to look at."""
    seconds: float
    """Of the root; the contributions sum to it."""
    stretches: tuple[Stretch, ...]
    """In the order of time."""
    contributions: tuple[Contribution, ...]
    """Costliest first."""
    shifted: int = 0
    """Spans of other processes that were moved, as their clock disagreed with their parent's."""
    adopted: int = 0
    """Spans whose parent is not there: taken for parts of the root."""
    unfinished: int = 0
    """Spans without an end: taken to last as long as what they began."""

    def by_operation(self) -> dict[str, float]:
        """Seconds on the path by operation, costliest first."""
        return _summed((part.span.name, part.seconds) for part in self.contributions)


@dataclass(slots=True, eq=False)
class _Node:
    span: Span
    start_s: float
    end_s: float
    children: list[_Node] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


def critical_path(spans: Iterable[Span]) -> CriticalPath:
    """Find what a trace waited for. Takes O(n log n) for n spans, however deep they nest.

    Args:
        spans: Of one trace, in any order. Of several without a known parent, the longest one that
            has none is the root, and the others count as its children where they overlap it.
    """
    nodes = _nodes(spans)
    if not nodes:
        return CriticalPath(root=None, seconds=0.0, stretches=(), contributions=())
    root, adopted = _linked(nodes)
    order = list(_downwards(root))
    unfinished = sum(1 for node in order if not math.isfinite(node.end_s))
    _close(order)
    shifted = _shift(order)
    stretches = tuple(reversed(list(_walk(root))))
    return CriticalPath(
        root=root.span,
        seconds=root.seconds,
        stretches=stretches,
        contributions=_contributions(stretches, seconds=root.seconds),
        shifted=shifted,
        adopted=adopted,
        unfinished=unfinished,
    )


def critical_operations(traces: Iterable[Iterable[Span]]) -> dict[str, float]:
    """Add up the paths of many traces: seconds by operation, costliest first."""
    return _summed(pair for spans in traces for pair in critical_path(spans).by_operation().items())


def _nodes(spans: Iterable[Span]) -> dict[int, _Node]:
    """One node for each identifier: of spans that came twice, the first that is finished."""
    nodes: dict[int, _Node] = {}
    for span in spans:
        known = nodes.get(span.span_id)
        if not math.isfinite(span.start_s):
            continue
        if known is None or (math.isnan(known.end_s) and math.isfinite(span.end_s)):
            end_s = max(span.end_s, span.start_s) if math.isfinite(span.end_s) else math.nan
            nodes[span.span_id] = _Node(span, span.start_s, end_s)
    return nodes


def _linked(nodes: Mapping[int, _Node]) -> tuple[_Node, int]:
    """Hang children under their parents; returns the root, and how many it had to adopt."""
    tops = []
    for node in nodes.values():
        parent = nodes.get(node.span.parent_id)
        if parent is None or parent is node:
            tops.append(node)
        else:
            parent.children.append(node)
    reached = {id(node) for top in tops for node in _downwards(top)}
    for node in nodes.values():
        if id(node) not in reached:
            first = _cut(node, nodes)
            tops.append(first)
            reached.update(id(each) for each in _downwards(first))
    root = max(tops, key=_rootness)
    others = [node for node in tops if node is not root]
    root.children += others
    return root, len(others)


def _cut(node: _Node, nodes: Mapping[int, _Node]) -> _Node:
    """Open the circle of spans, each the next one's child, that is above `node`.

    Returns:
        The one that began first, with all others below it.
    """
    passed: set[int] = set()
    while id(node) not in passed:
        passed.add(id(node))
        node = nodes[node.span.parent_id]
    circle, around = [node], nodes[node.span.parent_id]
    while around is not node:
        circle.append(around)
        around = nodes[around.span.parent_id]
    first = min(circle, key=lambda each: (each.start_s, each.span.span_id))
    nodes[first.span.parent_id].children.remove(first)
    return first


def _rootness(node: _Node) -> tuple[bool, float, float]:
    open_ended = not math.isfinite(node.end_s)
    length = math.inf if open_ended else node.seconds
    return node.span.parent_id == 0, length, -node.start_s


def _downwards(root: _Node) -> Iterator[_Node]:
    """Parents before their children."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending += node.children


def _close(order: list[_Node]) -> None:
    """Let what has no end last until its last child ends."""
    for node in reversed(order):
        if not math.isfinite(node.end_s):
            node.end_s = max([node.start_s, *(child.end_s for child in node.children)])


def _shift(order: list[_Node]) -> int:
    """Move spans of other processes that stick out of their parent into its middle.

    What is known is that a remote child lies within the call that made it, not where; half of the
    rest before and half after assumes equal ways there and back, as the network time protocol.
    Spans of one process move together.
    """
    moved_s = {id(order[0]): 0.0}
    for parent in order:
        for child in parent.children:
            offset_s = moved_s[id(parent)] if _belongs(child, parent) else 0.0
            child.start_s += offset_s
            child.end_s += offset_s
            correction_s = _correction(child, parent)
            child.start_s += correction_s
            child.end_s += correction_s
            moved_s[id(child)] = offset_s + correction_s
    return sum(1 for offset_s in moved_s.values() if offset_s)


def _belongs(child: _Node, parent: _Node) -> bool:
    return child.span.parent_id == parent.span.span_id


def _correction(child: _Node, parent: _Node) -> float:
    inside = parent.start_s <= child.start_s and child.end_s <= parent.end_s
    longer = child.seconds > parent.seconds  # its answer was not awaited to the end
    local = child.span.resource == parent.span.resource
    if inside or longer or local or not _belongs(child, parent):
        return 0.0
    return parent.start_s + (parent.seconds - child.seconds) / 2.0 - child.start_s


def _walk(root: _Node) -> Iterator[Stretch]:
    """Yield the path from its end to its beginning."""
    pending: list[tuple[_Node, float, float, list[_Node]]] = []
    node, low, at = root, root.start_s, root.end_s
    waiting = _by_end(node)
    while True:
        child = _waited_for(waiting, low=low, at=at)
        if child is not None:
            end_s = min(child.end_s, at)
            if end_s < at:
                yield Stretch(span=node.span, start_s=end_s, end_s=at)
            start_s = max(child.start_s, low)
            pending.append((node, low, start_s, waiting))
            node, low, at, waiting = child, start_s, end_s, _by_end(child)
            continue
        if low < at:
            yield Stretch(span=node.span, start_s=low, end_s=at)
        if not pending:
            return
        node, low, at, waiting = pending.pop()


def _by_end(node: _Node) -> list[_Node]:
    """Children, the one that ended last at the end of the list."""
    return sorted(node.children, key=lambda child: (child.end_s, child.start_s))


def _waited_for(waiting: list[_Node], *, low: float, at: float) -> _Node | None:
    """Take the child that ended last before `at`, from `low` on."""
    while waiting:
        child = waiting.pop()
        slack_s = OVERLAP * child.seconds
        if child.end_s <= at + slack_s and min(child.end_s, at) > max(child.start_s, low):
            return child
    return None


def _contributions(stretches: Iterable[Stretch], *, seconds: float) -> tuple[Contribution, ...]:
    spans: dict[int, Span] = {}
    spent: dict[int, float] = {}
    for stretch in stretches:
        key = stretch.span.span_id
        spans[key] = stretch.span
        spent[key] = spent.get(key, 0.0) + stretch.seconds
    return tuple(
        Contribution(span=spans[key], seconds=spent[key], ratio=spent[key] / seconds)
        for key in sorted(spent, key=lambda key: -spent[key])
    )


def _summed(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for name, seconds in pairs:
        totals[name] = totals.get(name, 0.0) + seconds
    return dict(sorted(totals.items(), key=lambda pair: -pair[1]))
