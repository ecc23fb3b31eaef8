from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from perfwright.core import MissingExtraError
from perfwright.llm import Api, CallTrace, Request
from perfwright.llm.telemetry import GenAISpans
from tests.llm.telemetry.traces import CLOCK, DAY_S, SECRET, failed, trace


class Spans:
    """A tracer whose spans are kept in memory."""

    def __init__(self, **options: Any) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False, **options)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("test")

    def of(self, *traces: CallTrace, record_content: bool = False) -> list[ReadableSpan]:
        """Return the spans of these traces, in the order in which they ended."""
        sink = GenAISpans(tracer=self.tracer, clock=CLOCK, record_content=record_content)
        for each in traces:
            sink.finished(each)
        return list(self._exporter.get_finished_spans())


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    return dict(span.attributes or {})


def seconds(nanoseconds: int | None) -> float:
    return (nanoseconds or 0) / 1e9


@pytest.fixture
def latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http, gen_ai_latest_experimental")


@pytest.mark.usefixtures("latest")
def test_a_call_is_one_client_span_named_by_operation_and_model() -> None:
    span = Spans().of(trace())[-1]
    assert (span.name, span.kind, span.parent) == ("chat gpt-5", SpanKind.CLIENT, None)
    assert (seconds(span.start_time), seconds(span.end_time)) == (DAY_S - 3.0, DAY_S - 1.0)


@pytest.mark.usefixtures("latest")
def test_a_call_is_described_in_the_newest_conventions_when_asked_for() -> None:
    found = attributes(Spans().of(trace(piece_s=[998.0, 998.5], streamed=True))[-1])
    assert {name: value for name, value in found.items() if name.startswith("gen_ai.")} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 99,
        "gen_ai.request.stream": True,
        "gen_ai.response.id": "chatcmpl-7",
        "gen_ai.response.model": "gpt-5-2026",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 1.0,
        "gen_ai.usage.input_tokens": 70,
        "gen_ai.usage.output_tokens": 8,
        "gen_ai.usage.cache_read.input_tokens": 64,
        "gen_ai.usage.cache_creation.input_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 5,
    }


@pytest.mark.usefixtures("latest")
def test_messages_in_anthropics_form_are_anthropics() -> None:
    asked = Request(api=Api.MESSAGES, body={"model": "claude"})
    assert attributes(Spans().of(trace(request=asked))[-1])["gen_ai.provider.name"] == "anthropic"


def test_without_the_opt_in_names_are_those_of_the_older_conventions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OTEL_SEMCONV_STABILITY_OPT_IN", raising=False)
    found = attributes(Spans().of(trace(streamed=True))[-1])
    assert found["gen_ai.system"] == "openai"
    assert found["gen_ai.usage.input_tokens"] == 70
    assert not {
        name for name in found if "provider" in name or "cache_" in name or "stream" in name
    }


def test_what_the_conventions_do_not_name_is_under_our_own_prefix() -> None:
    call = trace()
    found = attributes(Spans().of(call)[-1])
    assert {name: value for name, value in found.items() if name.startswith("perfwright.")} == {
        "perfwright.trace_id": call.trace_id,
        "perfwright.cached": False,
        "perfwright.endpoint": "west",
        "perfwright.cost_usd": 0.002,
        "perfwright.label.agent": "planner",
    }


def test_each_stage_is_a_span_below_the_calls_with_its_own_times() -> None:
    *stages, call = Spans().of(trace())
    assert [stage.name for stage in stages] == ["limit_wait", "attempt", "attempt"]
    assert {stage.parent.span_id for stage in stages if stage.parent} == {call.context.span_id}
    assert [seconds(stage.start_time) - DAY_S for stage in stages] == pytest.approx(
        [-2.9, -2.5, -2]
    )
    assert [seconds(stage.end_time) - DAY_S for stage in stages] == pytest.approx([-2.5, -2.4, -1])


def test_a_stage_says_what_is_known_of_it() -> None:
    _, first, second, _ = Spans().of(trace())
    assert attributes(second) == {"perfwright.endpoint": "west", "perfwright.status": 200}
    assert [first.status.status_code, second.status.status_code] == [
        StatusCode.ERROR,
        StatusCode.UNSET,
    ]


def test_a_call_hangs_below_the_span_that_is_active() -> None:
    spans = Spans()
    with spans.tracer.start_as_current_span("request") as outer:
        *_, call = spans.of(trace())
    assert call.parent is not None
    assert call.parent.span_id == outer.get_span_context().span_id


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [("overloaded", 529, "overloaded"), ("", 503, "503"), ("", None, "ProviderDownError")],
)
def test_a_failed_call_names_its_error(code: str, status: int | None, expected: str) -> None:
    call = Spans().of(failed(code=code, status=status))[-1]
    assert call.status.status_code is StatusCode.ERROR
    assert attributes(call)["error.type"] == expected


@pytest.mark.usefixtures("latest")
def test_content_is_not_recorded() -> None:
    spans = Spans().of(trace(), failed())
    shown = "".join(span.to_json() for span in spans)
    assert "Ada" not in shown
    assert "Be brief" not in shown


def test_content_is_recorded_for_who_asks_for_it() -> None:
    spans = Spans()
    (*_, call) = spans.of(trace(), record_content=True)
    found = attributes(call)
    asked = json.loads(found["gen_ai.input.messages"])
    assert asked[1] == {"role": "user", "parts": [{"type": "text", "content": SECRET}]}
    assert json.loads(found["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Ada it is"}],
            "finish_reason": "stop",
        }
    ]


def test_a_trace_of_which_nothing_is_known_is_a_span_all_the_same() -> None:
    call = trace()
    call.facts.clear()
    assert Spans().of(call)[-1].name == "chat"


def test_stages_of_a_call_that_is_not_sampled_make_no_spans() -> None:
    assert Spans(sampler=ALWAYS_OFF).of(trace()) == []


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingExtraError, match=r"perfwright\[metrics\]"):
        GenAISpans()
