"""In which order to send requests so that a provider finds most prompts begun in its cache.

Sorting by prompt visits the tree of all prompts branch by branch: whatever two prompts share is
used again at once, before it expires or makes room. Calls that are under way at the same time
cannot use what another of them is only now writing, so with `in_flight` above 1 a prompt whose
beginning is being written lets others go first.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from perfwright.core import ConfigError
from perfwright.llm.caching.prefixes import Blocks, blocks_of
from perfwright.llm.requests import Request

T = TypeVar("T")

_IN_FLIGHT = 16
"""With 1, 4 or 16 calls really under way this got 0.97 of what any order could, and more, in
caches of 1,000 blocks that forget after 200 calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixOrder:
    """In which order to send requests."""

    order: tuple[int, ...]
    """Places of the requests, as they were given, in the order in which to send them."""
    blocks: int
    """Blocks of all prompts."""
    repeated_blocks: int
    """Of these, beginnings that an earlier prompt has, too: the most that any order can save."""

    @property
    def repeated_ratio(self) -> float:
        """Share of the blocks that a provider may have in its cache, 0 to 1."""
        return self.repeated_blocks / self.blocks if self.blocks else 0.0

    def sent(self, items: Sequence[T]) -> list[T]:
        """Return `items`, given in the requests' order, in the order of sending."""
        return [items[place] for place in self.order]

    def restored(self, results: Iterable[T]) -> list[T]:
        """Return results, given in the order of sending, in the requests' order."""
        placed = dict(zip(self.order, results, strict=True))
        return [placed[place] for place in range(len(self.order))]


def group_by_prefix(requests: Sequence[Request], *, in_flight: int = _IN_FLIGHT) -> PrefixOrder:
    """Order requests so that those with the same beginning follow one another.

    Args:
        requests: In any order; higher priorities stay in front of lower ones.
        in_flight: How many will be under way at a time. Too few costs most: what is sent together
            cannot share. Too many needs a cache that remembers so many beginnings.
    """
    urgency = [-int(request.priority) for request in requests]
    return order_blocks([blocks_of(request) for request in requests], urgency, in_flight=in_flight)


def order_blocks(
    prompts: Sequence[Blocks], urgency: Sequence[int] | None = None, *, in_flight: int = _IN_FLIGHT
) -> PrefixOrder:
    """Do the same for prompts that are blocks already, such as hashes of an inference server.

    Args:
        prompts: Blocks of one kind that can be sorted. Equal blocks are shared if all before them
            are equal, too.
        urgency: One for each prompt; the smallest go first. None treats all alike.
        in_flight: As above.

    O(blocks + n log n) for n prompts.
    """
    if in_flight < 1:
        raise ConfigError(field="in_flight", value=in_flight, problem="must be at least 1")
    sort: list[Any] = [tuple(prompt) for prompt in prompts]
    places = sorted(range(len(prompts)), key=sort.__getitem__)
    repeated = sum(_shared_lengths([prompts[place] for place in places]))
    order: list[int] = []
    ranks = urgency or [0] * len(prompts)
    for rank in sorted(set(ranks)):
        group = [place for place in places if ranks[place] == rank]
        order += _spread(group, prompts, in_flight=in_flight) if in_flight > 1 else group
    return PrefixOrder(order=tuple(order), blocks=sum(map(len, prompts)), repeated_blocks=repeated)


def _shared_lengths(ordered: Sequence[Blocks]) -> list[int]:
    """Return how many first blocks each prompt shares with the one before it."""
    return [0, *(_shared(first, second) for first, second in itertools.pairwise(ordered))]


def _shared(first: Blocks, second: Blocks) -> int:
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length


# --- More than one at a time ----------------------------------------------------------------------


class _State(Enum):
    COLD = 0
    WARMING = 1
    WARM = 2


class _Node:
    """A beginning that at least two prompts share."""

    __slots__ = ("depth", "parent", "places", "state")

    def __init__(self, depth: int, *, parent: _Node | None) -> None:
        self.depth, self.parent = depth, parent
        self.state = _State.COLD
        self.places: deque[int] = deque()
        """Prompts that share this beginning, and no longer one, and have not been sent."""

    def path(self) -> Iterator[_Node]:
        """Yield this node and those above it."""
        node: _Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def loss(self) -> int:
        """Return the blocks that a prompt sent now pays for, though they are being written."""
        writing = warm = 0
        for node in self.path():
            if node.state is _State.WARMING:
                writing = max(writing, node.depth)
            elif node.state is _State.WARM:
                warm = max(warm, node.depth)
        return max(0, writing - warm)


def _spread(group: Sequence[int], prompts: Sequence[Blocks], *, in_flight: int) -> list[int]:
    """Reorder sorted prompts: what is being written is used by those who come after its end.

    A call is taken to have written its prompt when `in_flight` others have been sent after it.
    Beginnings that are written take turns, so that none of them is forgotten; the next is begun
    when no prompt is left for them.
    """
    waiting = _nodes([prompts[place] for place in group], group)
    warm: deque[_Node] = deque()
    writing: deque[tuple[int, _Node]] = deque()
    order = []
    for step in range(len(group)):
        while writing and writing[0][0] <= step:
            _, node = writing.popleft()
            node.state = _State.WARM
            if node.places:
                del waiting[node]
                warm.append(node)
        node = warm.popleft() if warm else _least_loss(waiting)
        order.append(node.places.popleft())
        if node.state is _State.WARM and node.places:
            warm.append(node)
        elif not node.places:
            waiting.pop(node, None)
        for begun in node.path():
            if begun.state is _State.COLD:
                begun.state = _State.WARMING
                writing.append((step + in_flight, begun))
    return order


def _least_loss(waiting: Iterable[_Node]) -> _Node:
    best, least = None, math.inf
    for node in waiting:
        loss = node.loss()
        if loss < least:
            best, least = node, loss
        if not loss:
            break  # most often the first: none can be better
    assert best is not None  # noqa: S101  called while prompts are left
    return best


def _nodes(ordered: Sequence[Blocks], places: Sequence[int]) -> dict[_Node, None]:
    """Return the longest beginnings that prompts share, sorted; each is that of some prompt."""
    if not ordered:
        return {}
    lengths = [*_shared_lengths(ordered), 0]
    path = [_Node(0, parent=None)]
    nodes: dict[_Node, None] = {}
    for place, (before, after) in zip(places, itertools.pairwise(lengths), strict=True):
        while path[-1].depth > before:
            popped = path.pop()
            if path[-1].depth < before:  # a shorter beginning, which this prompt shares with those
                path.append(_Node(before, parent=path[-1]))
                popped.parent = path[-1]
        if after > path[-1].depth:
            path.append(_Node(after, parent=path[-1]))
        path[-1].places.append(place)
        nodes[path[-1]] = None
    return nodes
