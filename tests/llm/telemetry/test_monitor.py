from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perfwright import OptimizedLLMAdapter
from perfwright.core import ManualClock
from perfwright.llm import CallTrace
from perfwright.llm.telemetry.monitor import MonitorSink
from perfwright.llm.testing import SimulatedProvider
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.spans import Span
from perfwright.monitoring.tracing import suppressed
from perfwright.monitoring.waits import critical_path
from tests.llm.telemetry.traces import CLOCK, SECRET, failed, trace


def monitor(**options: Any) -> PerformanceMonitor:
    return PerformanceMonitor(clock=CLOCK, resource={"service.name": "shop"}, **options)


def spans_of(
    call: CallTrace, *, into: PerformanceMonitor | None = None, **options: Any
) -> list[Span]:
    """Return what a monitor holds after a call, the call's own span first."""
    into = into or monitor()
    MonitorSink(into, **options).finished(call)
    return [span for each in into.traces() for span in each.spans]


def test_a_call_is_a_span_with_its_stages_below_it() -> None:
    call, wait, refused, answered = spans_of(trace())
    assert (call.name, call.kind, call.parent_id) == ("chat gpt-5", "client", 0)
    assert [span.name for span in (wait, refused, answered)] == [
        "llm.limit_wait",
        "llm.attempt",
        "llm.attempt",
    ]
    assert {span.parent_id for span in (wait, refused, answered)} == {call.span_id}
    assert (call.start_s, call.end_s) == (997.0, 999.0)
    assert (refused.start_s, refused.end_s) == (997.5, 997.6)
    assert len({span.span_id for span in (call, wait, refused, answered)}) == 4


def test_a_call_keeps_the_identifier_that_its_answer_carries() -> None:
    made = trace()
    assert spans_of(made)[0].trace_id_hex == made.trace_id


def test_a_call_hangs_below_the_span_around_it() -> None:
    shop = monitor()
    with shop.span("answer a question") as around:
        MonitorSink(shop).finished(trace())
    (whole,) = shop.traces()
    call = next(span for span in whole.spans if span.name == "chat gpt-5")
    assert (call.trace_id, call.parent_id) == (around.trace_id, around.span_id)


def test_a_call_of_a_trace_that_is_not_kept_is_counted_only() -> None:
    shop = monitor(sample_ratio=0.0, slow_threshold=100.0)
    with shop.span("answer a question"):
        MonitorSink(shop).finished(trace())
    assert shop.traces(failed=False) == []
    assert "chat gpt-5" in shop.operations()


def test_a_refused_attempt_is_a_failure_of_the_attempt_only() -> None:
    call, _, refused, answered = spans_of(trace())
    assert (call.error, refused.error, answered.error) == (None, "HTTP 503", None)


def test_tags_tell_what_it_cost() -> None:
    tags = spans_of(trace())[0].tags
    assert tags is not None
    assert tags["gen_ai.usage.input_tokens"] == 70
    assert tags["perfwright.cost_usd"] == 0.002
    assert tags["perfwright.label.agent"] == "planner"


def test_no_content_is_in_the_spans() -> None:
    for span in spans_of(trace()) + spans_of(failed()):
        assert SECRET not in repr((span.tags, span.logs, span.error))


def test_an_error_is_named_and_quoted_on_demand() -> None:
    plain, quoted = spans_of(failed())[0], spans_of(failed(), record_content=True)[0]
    assert plain.error is not None
    assert quoted.error is not None
    assert SECRET not in plain.error
    assert SECRET in quoted.error


def test_a_cancelled_call_did_not_fail() -> None:
    cancelled = failed()
    cancelled.error = asyncio.CancelledError()
    assert spans_of(cancelled)[0].error is None


def test_times_of_another_clock_are_turned_into_the_monitors() -> None:
    shop = PerformanceMonitor(clock=ManualClock(now_s=5_000.0, start=CLOCK.start))
    call = spans_of(trace(), into=shop, clock=CLOCK)[0]
    assert call.start_s == pytest.approx(4_997.0)


def test_the_critical_path_says_what_a_call_waited_for() -> None:
    shares = critical_path(spans_of(trace())).by_operation()
    assert shares["llm.limit_wait"] == pytest.approx(0.4)
    assert shares["llm.attempt"] == pytest.approx(1.1)


def test_a_disabled_monitor_gets_nothing() -> None:
    assert spans_of(trace(), into=monitor(enabled=False)) == []


def test_where_no_spans_are_wanted_there_are_none() -> None:
    shop = monitor()
    with suppressed():
        assert spans_of(trace(), into=shop) == []


def test_calls_of_the_adapter_are_in_the_monitor() -> None:
    shop = PerformanceMonitor()

    async def main(base_url: str) -> None:
        async with OptimizedLLMAdapter(
            base_url=base_url,
            api_key="k",
            model="m",
            enable_cache=True,
            trace_sinks=[MonitorSink(shop)],
        ) as adapter:
            with shop.span("job"):
                async with asyncio.TaskGroup() as group:
                    for prompt in ("a", "b"):
                        group.create_task(adapter.complete(prompt))
                await adapter.complete("a")

    with SimulatedProvider() as provider:
        asyncio.run(main(provider.base_url))
    (whole,) = shop.traces()
    assert whole.complete
    assert shop.get_stats()["latencies"]["chat m"]["count"] == 3
    assert shop.get_stats()["latencies"]["llm.attempt"]["count"] == 2
    assert shop.get_stats()["misuse"] == {}
