from __future__ import annotations

import sys
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from perfwright.core import MissingExtraError
from perfwright.llm import CallTrace
from perfwright.llm.telemetry import GenAIMetrics
from tests.llm.telemetry.traces import failed, trace

DURATION = "gen_ai.client.operation.duration"
TOKENS = "gen_ai.client.token.usage"
FIRST = "gen_ai.client.operation.time_to_first_chunk"
BETWEEN = "gen_ai.client.operation.time_per_output_chunk"


def recorded(*traces: CallTrace) -> dict[str, list[Any]]:
    """Return the data points of each metric."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    sink = GenAIMetrics(meter=provider.get_meter("test"))
    for each in traces:
        sink.finished(each)
    data = reader.get_metrics_data()
    provider.shutdown()
    if data is None:
        return {}
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    return {metric.name: list(metric.data.data_points) for metric in metrics}


@pytest.fixture
def latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")


@pytest.mark.usefixtures("latest")
def test_a_calls_duration_is_recorded_with_what_it_was() -> None:
    (point,) = recorded(trace(), trace())[DURATION]
    assert (point.count, point.sum) == (2, pytest.approx(4.0))
    assert dict(point.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.response.model": "gpt-5-2026",
        "perfwright.cached": False,
    }


def test_buckets_are_those_of_the_conventions() -> None:
    found = recorded(trace())
    assert found[DURATION][0].explicit_bounds[:3] == (0.01, 0.02, 0.04)
    assert found[DURATION][0].explicit_bounds[-1] == pytest.approx(81.92)
    assert found[TOKENS][0].explicit_bounds[-1] == 67_108_864


def test_tokens_are_recorded_by_kind() -> None:
    points = {p.attributes["gen_ai.token.type"]: p.sum for p in recorded(trace())[TOKENS]}
    assert points == {"input": 70, "output": 8}


def test_an_answer_from_the_cache_uses_no_tokens() -> None:
    found = recorded(trace(cached=True))
    assert TOKENS not in found
    assert found[DURATION][0].attributes["perfwright.cached"] is True


def test_a_failure_is_recorded_under_its_error() -> None:
    found = recorded(failed())
    assert found[DURATION][0].attributes["error.type"] == "503"
    assert TOKENS not in found


@pytest.mark.usefixtures("latest")
def test_the_flow_of_a_stream_is_recorded() -> None:
    found = recorded(trace(streamed=True, piece_s=[997.5, 997.7, 998.5]))
    assert found[FIRST][0].sum == pytest.approx(0.5)
    assert (found[BETWEEN][0].count, found[BETWEEN][0].sum) == (2, pytest.approx(1.0))


@pytest.mark.usefixtures("latest")
def test_a_call_without_a_stream_has_no_flow() -> None:
    assert set(recorded(trace())) == {DURATION, TOKENS}


def test_without_the_opt_in_the_newest_metrics_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OTEL_SEMCONV_STABILITY_OPT_IN", raising=False)
    found = recorded(trace(streamed=True, piece_s=[997.5, 997.7]))
    assert set(found) == {DURATION, TOKENS}
    assert found[DURATION][0].attributes["gen_ai.system"] == "openai"


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", None)
    with pytest.raises(MissingExtraError, match=r"perfwright\[metrics\]"):
        GenAIMetrics()
