"""Recursion without memory."""

from __future__ import annotations

from dataclasses import replace

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Arguments
from tests.profiling.diagnosis.kinds.claims import causes, claims, culprits

RULE = "overlapping_recursion"


def test_steps_that_meet_again_are_found() -> None:
    text = """
        def paths(x, y):
            if x == 9 or y == 9:
                return 1
            return paths(x + 1, y) + paths(x, y + 1)
    """
    assert culprits(RULE, text, ("return paths",)) == ["paths"]


def test_halves_do_not_overlap() -> None:
    text = """
        def sort(rows):
            middle = len(rows) // 2
            return merge(sort(rows[:middle]), sort(rows[middle:]))
    """
    assert culprits(RULE, text, ("return merge",)) == []


def test_a_cached_recursion_is_no_fault() -> None:
    text = """
        import functools
        @functools.cache
        def ways(n):
            return ways(n - 1) + ways(n - 2)
    """
    assert culprits(RULE, text, ("return ways",)) == []


def test_a_recursion_with_a_memory_of_its_own_is_no_fault() -> None:
    text = """
        def ways(n, memo):
            if n not in memo:
                memo[n] = ways(n - 1, memo) + ways(n - 2, memo)
            return memo[n]
    """
    assert culprits(RULE, text, ("memo[n] = ways",)) == []


def test_walking_down_a_tree_does_not_overlap() -> None:
    text = """
        def size(node):
            return 1 + sum(size(child) for child in node.children)
    """
    assert culprits(RULE, text, ("size(child)",)) == []


UPWARD = """
    class Node:
        def depth(self):
            if self.parent is None:
                return 0
            return self.parent.depth() + 1
    def run(nodes):
        for node in nodes:
            show(node.depth())
"""
WALK = ("show(node.depth())", "return self.parent", "return self.parent")


def test_a_walk_to_the_root_from_each_node_is_found() -> None:
    assert causes(UPWARD, WALK) == {"Node.depth": "repeated-work"}


def test_a_walk_of_one_step_is_not_worth_remembering() -> None:
    counted = {("show(node", "def depth"): 1000, ("return self.parent", "def depth"): 1000}
    assert causes(UPWARD, WALK, calls=counted) == {}


def test_a_walk_that_changes_what_it_meets_cannot_be_remembered() -> None:
    text = UPWARD.replace("if self.parent", "self.seen_at = 1\n            if self.parent")
    assert causes(text, WALK) == {}


GRAPH = """
    EDGES = {}
    def reachable(name):
        found = set()
        for other in EDGES[name]:
            found |= reachable(other)
            found |= reachable(name + other)
        return found
    def both(node):
        return both(node.left) + both(node.right)
"""


def test_the_edges_of_a_graph_lead_to_one_node_by_many_ways() -> None:
    assert causes(GRAPH, ("found |= reachable(other)",)) == {"reachable": "repeated-work"}


def test_two_sides_of_a_tree_do_not_overlap() -> None:
    assert causes(GRAPH, ("return both(",)) == {}


def test_the_method_that_it_overrides_is_another() -> None:
    text = """
        class Record(dict):
            def __getitem__(self, key):
                for known in NAMES[key]:
                    if dict.__contains__(self, known):
                        return dict.__getitem__(self, known)
                return super().__getitem__(NAMES[key])
        def run(record, keys):
            for key in keys:
                show(record[key])
    """
    assert culprits(RULE, text, ("show(record", "return super()")) == []


WAYS = """
    def ways(steps):
        if steps < 2:
            return 1
        return ways(steps - 1) + ways(steps - 2)
    def run(steps):
        return ways(steps)
"""


def _ways(*, distinct: int, inner: int) -> list[str]:
    calls = {("return ways(steps - 1)", "def ways"): inner, ("return ways(steps)", "def ways"): 10}
    ways = frame_of(WAYS, "def ways").function
    looks = Arguments(function=ways, looks=100, distinct=distinct, by_value=True)
    profile = example(WAYS, ("return ways(steps)", "return ways(steps - 1)"), calls=calls)
    return [c.function.name for c in claims(RULE, replace(profile, arguments=(looks,)))]


def test_looks_at_the_arguments_tell_whether_parts_overlap() -> None:
    assert _ways(distinct=20, inner=1000) == ["ways"]
    assert _ways(distinct=95, inner=1000) == []


def test_a_recursion_that_seldom_goes_on_is_none() -> None:
    assert _ways(distinct=20, inner=2) == []
