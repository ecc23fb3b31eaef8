"""The critical path of a trace: what was waited for, and nothing else."""

from __future__ import annotations

import math
import random
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.monitoring.spans import Span
from perfwright.monitoring.waits import CriticalPath, critical_operations, critical_path

HERE, THERE = {"service.name": "shop"}, {"service.name": "bank"}


def span(
    number: int,
    start_s: float,
    end_s: float,
    *,
    parent: int = 0,
    name: str = "",
    resource: dict[str, str] = HERE,
) -> Span:
    return Span(
        name or f"op{number}",
        trace_id=1,
        span_id=number,
        start_s=start_s,
        end_s=end_s,
        parent_id=parent,
        resource=resource,
    )


def seconds(path: CriticalPath) -> dict[str, float]:
    return {part.span.name: round(part.seconds, 6) for part in path.contributions}


def test_nothing_has_no_path() -> None:
    path = critical_path([])
    assert path.root is None
    assert path.contributions == ()


def test_a_span_alone_is_its_own_path() -> None:
    path = critical_path([span(1, 10, 12)])
    assert seconds(path) == {"op1": 2.0}
    assert path.contributions[0].ratio == 1.0


def test_children_in_a_row_leave_the_parent_what_is_between_them() -> None:
    path = critical_path([span(1, 0, 10), span(2, 1, 4, parent=1), span(3, 5, 9, parent=1)])
    assert seconds(path) == {"op3": 4.0, "op1": 3.0, "op2": 3.0}
    assert [part.span.span_id for part in path.stretches] == [1, 2, 1, 3, 1]


def test_of_children_together_only_the_longest_was_waited_for() -> None:
    together = [span(number, 0, number, parent=1) for number in range(2, 8)]
    assert seconds(critical_path([span(1, 0, 7), *together])) == {"op7": 7.0}


def test_what_freed_the_place_of_the_next_one_is_on_the_path() -> None:
    # Two at a time: the third starts when the first has ended, while the second still runs.
    spans = [
        span(1, 0, 12),
        span(2, 0, 5, parent=1),
        span(3, 0, 7, parent=1),
        span(4, 5, 12, parent=1),
    ]
    assert seconds(critical_path(spans)) == {"op4": 7.0, "op2": 5.0}


def test_awaits_in_a_row_may_overlap_by_what_the_clock_costs() -> None:
    spans = [span(1, 0, 10), span(2, 0, 5.01, parent=1), span(3, 5, 10, parent=1)]
    assert seconds(critical_path(spans)) == {"op2": 5.0, "op3": 5.0}


def test_work_that_outlives_its_parent_was_not_waited_for() -> None:
    path = critical_path([span(1, 0, 3), span(2, 1, 60, parent=1)])
    assert seconds(path) == {"op1": 3.0}


def test_the_path_goes_down_through_all_generations() -> None:
    spans = [span(1, 0, 10), span(2, 1, 9, parent=1), span(3, 2, 8, parent=2)]
    assert seconds(critical_path(spans)) == {"op3": 6.0, "op1": 2.0, "op2": 2.0}


def test_a_process_whose_clock_is_ahead_is_moved_into_its_caller() -> None:
    spans = [
        span(1, 0, 10),
        span(2, 1, 9, parent=1, name="call"),
        span(3, 101, 107, parent=2, name="serve", resource=THERE),
        span(4, 102, 105, parent=3, name="query", resource=THERE),
    ]
    path = critical_path(spans)
    assert path.shifted == 2
    assert seconds(path) == {"serve": 3.0, "query": 3.0, "op1": 2.0, "call": 2.0}
    assert path.stretches[2].start_s == 2.0  # a second after the call, a second before its end


def test_a_process_whose_clock_agrees_is_left_where_it_is() -> None:
    spans = [span(1, 0, 10), span(2, 1, 3, parent=1, resource=THERE)]
    path = critical_path(spans)
    assert path.shifted == 0
    assert path.stretches[0].end_s == 1.0


def test_spans_whose_parent_is_missing_count_as_parts_of_the_root() -> None:
    path = critical_path([span(1, 0, 10), span(2, 2, 8, parent=77)])
    assert path.adopted == 1
    assert seconds(path) == {"op2": 6.0, "op1": 4.0}


def test_without_a_root_the_longest_span_is_it() -> None:
    path = critical_path([span(1, 0, 4, parent=77), span(2, 0, 9, parent=78)])
    assert path.root is not None
    assert path.root.span_id == 2


def test_a_span_without_an_end_lasts_as_long_as_what_it_began() -> None:
    path = critical_path([span(1, 0, math.nan), span(2, 1, 6, parent=1)])
    assert path.unfinished == 1
    assert path.seconds == 6.0
    assert seconds(path) == {"op2": 5.0, "op1": 1.0}


def test_spans_that_are_each_others_parents_end_nothing() -> None:
    path = critical_path([span(1, 0, 5, parent=2), span(2, 1, 4, parent=1)])
    assert path.seconds == 5.0
    assert sum(seconds(path).values()) == pytest.approx(5.0)


def test_a_span_that_is_its_own_parent_is_a_root() -> None:
    assert critical_path([span(1, 0, 5, parent=1)]).seconds == 5.0


def test_a_span_that_came_twice_counts_once() -> None:
    path = critical_path([span(1, 0, 5), span(2, 1, 2, parent=1), span(2, 1, 2, parent=1)])
    assert seconds(path) == {"op1": 4.0, "op2": 1.0}


def test_a_span_that_ends_before_it_starts_takes_no_time() -> None:
    assert seconds(critical_path([span(1, 0, 5), span(2, 3, 1, parent=1)])) == {"op1": 5.0}


def test_ten_thousand_generations_are_no_trouble() -> None:
    deep = [span(n, n * 1e-6, 1 - n * 1e-6, parent=n - 1, resource={"n": str(n % 2)})
            for n in range(1, 10_001)]  # fmt: skip
    path = critical_path(deep)
    assert len(path.contributions) == 10_000


def test_ten_thousand_children_are_no_trouble() -> None:
    wide = [span(n, n, n + 0.5, parent=1) for n in range(2, 10_002)]
    path = critical_path([span(1, 0, 10_003), *wide])
    assert path.by_operation()["op1"] == pytest.approx(5003.0)


def test_the_paths_of_many_traces_add_up() -> None:
    traces = [[span(1, 0, 4, name="page"), span(2, 0, 3, parent=1, name="query")]] * 3
    assert critical_operations(traces) == {"query": 9.0, "page": 3.0}


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_the_contributions_sum_to_the_time_of_the_root(seed: int, count: int) -> None:
    rng = random.Random(seed)
    spans = [span(1, 0, 100)]
    for number in range(2, count + 2):
        start_s = rng.uniform(-50, 150)
        end_s = rng.choice([start_s + rng.uniform(0, 80), math.nan])
        where = rng.choice([HERE, THERE])
        spans.append(span(number, start_s, end_s, parent=rng.randint(0, count + 5), resource=where))
    rng.shuffle(spans)
    path = critical_path(spans)
    assert sum(part.seconds for part in path.contributions) == pytest.approx(path.seconds)
    assert all(part.seconds >= 0 for part in path.contributions)
    bounds = [(one.start_s, one.end_s) for one in path.stretches]
    assert bounds == sorted(bounds)


def test_of_spans_that_are_each_others_parents_the_first_is_taken_out() -> None:
    early = span(3, 0, 1, parent=1)  # hangs on the circle, and is no part of it
    path = critical_path([span(1, 1, 10, parent=2), span(2, 2, 9, parent=1), early])
    assert path.root is not None
    assert path.root.span_id == 1
    assert path.adopted == 0


@pytest.mark.parametrize("shape", ["pairs", "early children"])
def test_circles_take_no_more_than_time_in_proportion(shape: str) -> None:
    def spans(count: int) -> list[Span]:
        if shape == "pairs":
            return [
                span(n, n, n + 1, parent=n + 1 if n % 2 else n - 1) for n in range(1, count + 1)
            ]
        circle = [span(1, count, count + 1, parent=2), span(2, count, count + 1, parent=1)]
        return circle + [span(n, n, n + 1, parent=1) for n in range(3, count + 1)]

    def lines(count: int) -> int:
        """How many lines run: the same each time, on every machine."""
        trace, ran = spans(count), 0

        def note(_frame: FrameType, event: str, _arg: object) -> Any:
            nonlocal ran
            ran += event == "line"
            return note

        before = sys.gettrace()
        sys.settrace(note)
        try:
            critical_path(trace)
        finally:
            sys.settrace(before)
        return ran

    assert lines(800) < 5 * lines(200)
