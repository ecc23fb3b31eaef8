"""Recursion without memory."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

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
