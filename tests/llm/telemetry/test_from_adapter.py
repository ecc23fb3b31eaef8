"""Sinks fed by the adapter itself: what it puts into traces is what they read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from perfwright import OptimizedLLMAdapter
from perfwright.core import ProviderError
from perfwright.llm import MonitorSink, TraceSink
from perfwright.llm.telemetry import GenAISpans, TraceLog, TrafficLog, waterfall
from perfwright.llm.testing import SimulatedProvider
from perfwright.monitoring import PerformanceMonitor


def calls(sinks: Sequence[TraceSink], **settings: Any) -> None:
    """Make a call, the same again, a stream, and one that is refused."""

    async def main(base_url: str) -> None:
        async with OptimizedLLMAdapter(
            base_url=base_url, api_key="k", model="m", enable_cache=True, trace_sinks=sinks
        ) as adapter:
            await adapter.complete("a", labels={"agent": "x"})
            await adapter.complete("a")
            async for _ in adapter.stream("b"):
                pass
            with pytest.raises(ProviderError):
                await adapter.complete("c [refuse]")

    with SimulatedProvider(**settings) as provider:
        asyncio.run(main(provider.base_url))


def test_every_call_is_in_the_traffic_log(tmp_path: Path) -> None:
    path = tmp_path / "traffic.jsonl"
    log = TrafficLog(path)
    calls([log])
    log.close()
    first, again, streamed, refused = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["gen_ai.request.model"] for line in (first, again, streamed, refused)] == ["m"] * 4
    assert [line["cached"] for line in (first, again, streamed)] == [False, True, False]
    assert first["gen_ai.usage.output_tokens"] > 0
    assert first["gen_ai.response.finish_reasons"] == ["stop"]
    assert streamed["gen_ai.usage.output_tokens"] > 0
    assert streamed["gen_ai.request.stream"] is True
    assert first["labels"] == {"agent": "x"}
    assert "attempt" in [stage["name"] for stage in first["stages"]]
    assert "attempt" not in [stage["name"] for stage in again["stages"]]
    assert refused["error.type"]
    assert first["prompt_digests"] == again["prompt_digests"] != streamed["prompt_digests"]
    assert first["gen_ai.response.id"]


def test_every_call_is_a_span_that_holds_its_stages() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    calls([GenAISpans(tracer=provider.get_tracer("test"))])
    spans = exporter.get_finished_spans()
    chats = [span for span in spans if span.name == "chat m"]
    assert len(chats) == 4
    by_id = {span.context.span_id: span for span in chats}
    for child in spans:
        if child.parent is not None:
            call = by_id[child.parent.span_id]
            assert (call.start_time or 0) <= (child.start_time or 0)
            assert (child.end_time or 0) <= (call.end_time or 0)


def test_the_slowest_call_shows_where_its_time_went() -> None:
    log = TraceLog()
    calls([log], latency_s=0.1)
    slowest = log.slowest[0]
    assert slowest.seconds_of("attempt") == pytest.approx(slowest.seconds, rel=0.3)
    assert len(log.failed) == 1


def test_an_attempt_that_was_cancelled_with_its_call_did_not_fail() -> None:
    monitor, log = PerformanceMonitor(), TraceLog()

    async def main(base_url: str) -> None:
        sinks: list[TraceSink] = [MonitorSink(monitor), log]
        async with OptimizedLLMAdapter(
            base_url=base_url, api_key="k", model="m", trace_sinks=sinks
        ) as adapter:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):  # as a client that goes away does
                    await adapter.complete("a")

    with SimulatedProvider(latency_s=2.0) as provider:
        asyncio.run(main(provider.base_url))
    assert monitor.get_stats()["operations"]["llm.attempt"]["failed"] == 0
    assert monitor.get_stats()["errors"] == {}
    assert "llm.attempt" in [span.name for trace in monitor.traces() for span in trace.spans]
    drawn = waterfall(log.slowest[0]).splitlines()
    assert [line for line in drawn if "attempt" in line and "FAILED" not in line]
