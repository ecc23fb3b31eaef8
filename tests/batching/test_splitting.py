from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perfwright.batching.splitting import Split


def processed(items: list[int], bad: set[int], *, retry: bool = True) -> tuple[list[int], int]:
    """Return the items that succeeded, in order, and the number of calls."""
    split = Split(items, retry=retry)
    good: list[int] = []
    calls = 0
    for group in split:
        if split.hopeless:
            continue
        calls += 1
        if bad.isdisjoint(group):
            good += group
            split.succeeded()
        else:
            split.failed(group)
    return sorted(good), calls


@given(st.integers(1, 200), st.data())
def test_one_bad_item_alone_fails(size: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, size - 1))
    good, calls = processed(list(range(size)), {bad})
    assert good == [n for n in range(size) if n != bad]
    assert calls <= 1 + 2 * (size - 1).bit_length()


@given(st.integers(1, 100), st.sets(st.integers(0, 99)))
def test_there_are_hardly_more_calls_than_items(size: int, bad: set[int]) -> None:
    good, calls = processed(list(range(size)), bad)
    assert not bad.intersection(good)
    assert calls <= 1 + max(size, 2 * (size - 1).bit_length())


@given(st.sets(st.integers(0, 31), max_size=3))
def test_three_bad_items_of_many_fail_alone(bad: set[int]) -> None:
    good, _ = processed(list(range(32)), bad)
    assert good == [n for n in range(32) if n not in bad]


def test_nothing_is_tried_for_long_when_everything_fails() -> None:
    assert processed(list(range(64)), set(range(64))) == ([], 7)


def test_without_retries_there_is_one_call() -> None:
    assert processed(list(range(8)), {3}, retry=False) == ([], 1)
