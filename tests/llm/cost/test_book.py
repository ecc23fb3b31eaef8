"""Sums of what was paid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm import Usage
from perfwright.llm.cost import CostBook

counts = st.integers(min_value=0, max_value=10**6)
usages = st.builds(
    Usage,
    prompt_tokens=counts,
    cached_tokens=counts,
    cache_write_tokens=counts,
    completion_tokens=counts,
    reasoning_tokens=counts,
)
bookings = st.lists(
    st.tuples(
        usages,
        st.none() | st.integers(min_value=0, max_value=10**15),
        st.sampled_from("abcdef"),
        st.sampled_from(["", "x", "y", "z"]),
        st.dictionaries(st.sampled_from("uv"), st.sampled_from("12345")),
    ),
    max_size=40,
)


def booked(entries: list[tuple[Usage, int | None, str, str, dict[str, str]]]) -> CostBook:
    book = CostBook(max_values=3)
    for usage, pico, model, endpoint, labels in entries:
        book.book(usage, pico=pico, model=model, endpoint=endpoint, labels=labels)
    return book


@given(bookings)
def test_the_parts_add_up_to_the_whole(
    entries: list[tuple[Usage, int | None, str, str, dict[str, str]]],
) -> None:
    stats = booked(entries).get_stats()
    for key in ("calls", "total_tokens", "prompt_tokens", "cached_tokens", "unpriced_calls"):
        assert sum(row[key] for row in stats["by_model"].values()) == stats[key]
    assert sum(row["cost_usd"] for row in stats["by_model"].values()) == pytest.approx(
        stats["cost_usd"], rel=1e-12
    )


@given(bookings)
def test_the_whole_is_the_sum_of_the_calls(
    entries: list[tuple[Usage, int | None, str, str, dict[str, str]]],
) -> None:
    stats = booked(entries).get_stats()
    assert stats["cost_usd"] == sum(pico or 0 for _, pico, *_ in entries) / 10**12
    assert stats["total_tokens"] == sum(usage.total_tokens for usage, *_ in entries)
    assert stats["reasoning_tokens"] == sum(usage.reasoning_tokens for usage, *_ in entries)


@given(bookings)
def test_each_label_value_has_the_calls_that_carry_it(
    entries: list[tuple[Usage, int | None, str, str, dict[str, str]]],
) -> None:
    stats = booked(entries).get_stats()
    for label, values in stats["by_label"].items():
        carried = sum(label in labels for *_, labels in entries)
        assert sum(row["calls"] for row in values.values()) == carried


def test_values_beyond_the_cap_are_lumped_together() -> None:
    book = CostBook(max_values=3)
    for user in range(10):
        book.book(Usage(prompt_tokens=1), pico=1, model="m", labels={"user": str(user)})
    stats = book.get_stats()
    users = {user: row["calls"] for user, row in stats["by_label"]["user"].items()}
    assert users == {"0": 1, "1": 1, "2": 1, "other": 7}
    assert stats["lumped_entries"] == 7


def test_labels_beyond_the_cap_are_lumped_together() -> None:
    book = CostBook(max_values=2)
    for label in "abcd":
        book.book(Usage(), pico=1, model="m", labels={label: "1"})
    assert {label: len(rows) for label, rows in book.get_stats()["by_label"].items()} == {
        "a": 1, "b": 1, "other": 1,
    }  # fmt: skip


def test_a_call_without_a_price_is_counted_as_such() -> None:
    book = CostBook()
    book.book(Usage(prompt_tokens=5), pico=None, model="m")
    stats = book.get_stats()
    assert (stats["unpriced_calls"], stats["cost_usd"], stats["prompt_tokens"]) == (1, 0.0, 5)


def test_metrics_say_the_same_as_the_stats() -> None:
    book = CostBook()
    book.book(Usage(prompt_tokens=5, completion_tokens=2), pico=3 * 10**12, model="m")
    found = {(m.name, m.labels.get("kind", "")): m.value for m in book.metrics()}
    assert found["llm_cost_usd", ""] == 3.0
    assert found["llm_paid_calls", ""] == 1
    assert found["llm_tokens", "prompt"] == 5
    assert found["llm_tokens", "completion"] == 2


def test_metrics_keep_the_first_models_apart_and_sum_up_the_rest() -> None:
    book = CostBook()
    for number in range(150):
        book.book(Usage(prompt_tokens=2, completion_tokens=1), pico=10**12, model=f"m{number}")
    found = [each for each in book.metrics() if each.name == "llm_cost_usd"]
    assert [each.labels["model"] for each in found[:100]] == [f"m{number}" for number in range(100)]
    assert [(each.labels["model"], each.value) for each in found[100:]] == [("other", 50.0)]
    prompt = [each for each in book.metrics() if each.labels.get("kind") == "prompt"]
    assert [each.value for each in prompt] == [2] * 100 + [100]
