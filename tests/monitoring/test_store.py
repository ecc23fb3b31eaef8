"""Kept spans are bounded, and every one that is not kept is counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perfwright.monitoring._lots import Lot
from perfwright.monitoring.spans import Span
from perfwright.monitoring.store import SpanStore

SLOW_S = 1.0


def span(
    trace_id: int = 1,
    *,
    span_id: int = 1,
    parent_id: int = 0,
    start_s: float = 0.0,
    seconds: float = 0.5,
    error: str | None = None,
    kept: bool = True,
) -> Span:
    return Span(
        "load",
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent_id,
        start_s=start_s,
        end_s=start_s + seconds,
        error=error,
        kept=kept,
    )


def add(store: SpanStore, *batch: Span) -> list[Span]:
    notable = [s for s in batch if s.error is not None or s.seconds >= SLOW_S]
    return store.add(batch, notable=notable, slow_s=SLOW_S)


def store_of(max_spans: int = 100, *, max_spans_per_trace: int = 100) -> SpanStore:
    return SpanStore(max_spans, max_spans_per_trace=max_spans_per_trace)


spans = st.builds(
    span,
    st.integers(1, 6),
    span_id=st.integers(1, 1 << 20),
    start_s=st.floats(0, 100),
    seconds=st.sampled_from([0.1, 1.0]),
    error=st.sampled_from([None, None, None, "broken"]),
    kept=st.booleans(),
)

batches_of_spans = st.lists(st.lists(spans, max_size=12), max_size=6)


@given(batches_of_spans, st.integers(4, 40), st.integers(1, 9))
def test_every_span_is_either_kept_or_counted_as_dropped(
    batches: list[list[Span]], max_spans: int, per_trace: int
) -> None:
    store = store_of(max_spans, max_spans_per_trace=per_trace)
    for batch in batches:
        add(store, *batch)
    taken = sum(len(batch) for batch in batches)
    assert len(store) + sum(store.dropped.values()) == taken
    assert len(store) <= max_spans
    held = {id(each) for trace in store.traces() for each in trace.spans}
    assert len(held) == sum(len(trace.spans) for trace in store.traces())


@given(batches_of_spans)
def test_each_span_is_exported_at_most_once_and_each_chosen_one_is(
    batches: list[list[Span]],
) -> None:
    store = store_of(10_000, max_spans_per_trace=10_000)
    exported = [id(each) for batch in batches for each in add(store, *batch)]
    assert len(set(exported)) == len(exported)
    chosen = {id(each) for batch in batches for each in batch if each.kept}
    assert chosen <= set(exported)
    notable = {each.trace_id for batch in batches for each in batch if each.error is not None}
    failed = {id(each) for batch in batches for each in batch if each.trace_id in notable}
    assert failed <= set(exported)


def test_a_trace_that_may_have_lost_its_beginning_is_not_complete() -> None:
    store = store_of(8)
    add(store, span(1, span_id=2, parent_id=1, start_s=0.1, seconds=0.1))
    for number in range(10):
        add(store, span(100 + number, start_s=number))
    add(store, span(1, span_id=1, start_s=0.0, seconds=20.0))
    trace = store.trace(1)
    assert trace is not None
    assert len(trace.spans) == 1
    assert not trace.complete


def test_a_trace_without_its_outermost_span_is_not_complete() -> None:
    store = store_of()
    add(store, span(1, span_id=2, parent_id=1), span(1, span_id=3, parent_id=1))
    trace = store.trace(1)
    assert trace is not None
    assert trace.root is None
    assert not trace.complete


def test_a_trace_that_came_from_another_process_can_be_complete() -> None:
    store = store_of()
    add(store, span(1, span_id=2, parent_id=99), span(1, span_id=3, parent_id=2))
    trace = store.trace(1)
    assert trace is not None
    assert trace.complete


def test_an_endless_trace_takes_room_of_others_only_for_what_is_slow() -> None:
    store = store_of(40, max_spans_per_trace=5)
    add(store, span(1, error="broken"))
    for number in range(100):
        add(store, span(1, span_id=number + 2))
    add(store, span(1, span_id=999, seconds=2.0))
    trace = store.trace(1)
    assert trace is not None
    assert [each.span_id for each in trace.spans if each.span_id < 90] == [
        1,
        2,
        3,
        4,
        5,
        *range(82, 90),
    ]
    assert trace.slow
    assert not trace.complete
    assert len(store.traces()) == 1
    assert store.dropped["oldest"] == 76


def test_one_notable_trace_cannot_outgrow_all_room() -> None:
    store = store_of(40, max_spans_per_trace=1000)
    for number in range(100):
        add(store, span(1, span_id=number + 1, seconds=2.0))
    trace = store.trace(1)
    assert trace is not None
    assert len(trace.spans) == 10
    assert not trace.complete


def test_a_notable_trace_that_was_forgotten_while_it_went_on_is_not_complete_later() -> None:
    store = store_of(16)
    add(store, span(1, span_id=2, parent_id=1, start_s=0.1, error="broken"))
    for number in range(5):
        add(store, span(100 + number, start_s=number, error="broken"))
    add(store, span(1, span_id=1, start_s=0.0, seconds=0.9))
    trace = store.trace(1)
    assert trace is not None
    assert trace.root is not None
    assert not trace.complete


def test_few_chosen_traces_are_complete_however_many_wait() -> None:
    store = store_of(100)
    add(store, span(1, start_s=0.0))
    for number in range(200):
        add(store, span(100 + number, start_s=number, kept=False))
    trace = store.trace(1)
    assert trace is not None
    assert trace.complete


def test_a_trace_tells_its_extent() -> None:
    store = store_of()
    add(store, span(1, span_id=2, parent_id=1, start_s=2.0), span(1, start_s=1.0, seconds=5.0))
    trace = store.trace(1)
    assert trace is not None
    assert (trace.start_s, trace.seconds) == (1.0, 5.0)
    assert [each.span_id for each in trace.spans] == [1, 2]


def test_traces_are_taken_out_without_a_pass_over_all_others() -> None:
    lot = Lot(10_000)
    for number in range(100):
        batch = [span(number, span_id=number * 100 + each + 1) for each in range(100)]
        kept = lot.room_for(batch)
        kept += batch
        lot.count += len(batch)
        lot.trim(batch)
    before = {id(block.spans): block for block in lot._blocks}
    assert len(before) > 30
    taken = lot.take({50, 51})
    assert [each.trace_id for each in taken] == [50] * 100 + [51] * 100
    assert len(lot) == 9800 == len(list(lot))
    untouched = [block for block in lot._blocks if id(block.spans) in before]
    assert len(untouched) >= len(before) - 3


def test_a_lot_forgets_the_oldest_after_some_were_taken() -> None:
    lot = Lot(10)
    for number in range(1, 31):
        one = [span(number % 3, span_id=number, start_s=float(number))]
        kept = lot.room_for(one)
        kept += one
        lot.count += 1
        lot.trim(one)
        if number == 15:
            assert [each.span_id for each in lot.take({0})] == [6, 9, 12, 15]
    assert [each.span_id for each in lot] == list(range(21, 31))
    assert lot.lost == 30 - 4 - 10
    assert lot.horizon_s == lot._blocks[0].spans[0].end_s


def test_a_trace_that_takes_the_oldest_spans_away_leaves_the_count_right() -> None:
    lot = Lot(1000)
    for trace_id in range(5):
        added = [span(trace_id) for _ in range(256)]
        lot.room_for(added).extend(added)
        lot.count += len(added)
        lot.trim(added)
        if trace_id == 1:
            assert len(lot.take({0})) == 256
    assert lot.lost == 4 * 256 - 1000
    assert len(lot) == len(list(lot)) == 1000
    assert len(lot.take({1, 2, 3, 4})) == 1000
    assert len(lot) == 0
