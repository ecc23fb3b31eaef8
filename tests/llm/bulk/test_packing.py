from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm.bulk.packing import identity_of, packed, shares, weight_of

weights = st.lists(st.integers(1, 50), max_size=60)


@given(weights, st.integers(1, 20), st.integers(1, 100))
def test_requests_hold_every_input_once_in_order(
    row: list[int], max_inputs: int, max_weight: int
) -> None:
    parts = list(packed(row, max_inputs=max_inputs, max_weight=max_weight))
    assert [index for part in parts for index in part] == list(range(len(row)))


@given(weights, st.integers(1, 20), st.integers(1, 100))
def test_no_request_is_beyond_a_limit_unless_one_input_is(
    row: list[int], max_inputs: int, max_weight: int
) -> None:
    for part in packed(row, max_inputs=max_inputs, max_weight=max_weight):
        assert len(part) <= max_inputs
        assert len(part) == 1 or sum(row[index] for index in part) <= max_weight


@given(st.integers(0, 10**6), weights)
def test_shares_sum_to_the_whole(total: int, row: list[int]) -> None:
    parts = shares(total, weights=row)
    assert sum(parts) == (total if row else 0)
    assert all(part >= 0 for part in parts)


@given(weights.filter(len))
def test_a_share_is_within_one_of_its_proportion(row: list[int]) -> None:
    for part, weight in zip(shares(1_000, weights=row), row, strict=True):
        assert abs(part - 1_000 * weight / sum(row)) <= 1.0


def test_tokens_are_rather_overestimated() -> None:
    assert weight_of("the quick brown fox jumps over the lazy dog") >= 9
    assert weight_of("天地玄黃宇宙洪荒") >= 8
    assert weight_of([1, 2, 3]) == 3


def test_a_text_is_not_equal_to_its_tokens() -> None:
    assert identity_of([1, 2]) == identity_of((1, 2))
    assert identity_of("12") != identity_of([1, 2])
