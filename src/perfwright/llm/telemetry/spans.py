"""Calls as OpenTelemetry spans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from perfwright.core import Clock, MissingExtraError, SystemClock
from perfwright.llm.telemetry.content import content_of
from perfwright.llm.telemetry.conventions import (
    identity,
    of_answer,
    of_request,
    of_runtime,
    wants_latest,
)
from perfwright.llm.telemetry.facts import Facts, has_failed
from perfwright.llm.tracing import CallTrace, Stage

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer


class GenAISpans:
    """Makes one span for each call, with a span below it for each of its stages.

    They hang below the span that is active where the call was made. Names follow the semantic
    conventions for generative AI: those of v1.36.0, or with `gen_ai_latest_experimental` in
    `OTEL_SEMCONV_STABILITY_OPT_IN` the newest. What they have no name for is under `perfwright.`.

    Args:
        tracer: Makes the spans; by default one of the global provider.
        clock: The adapter's, which the times of traces are of.
        record_content: Put prompts, answers and the texts of errors into the spans. They may hold
            what your users told you in confidence, and go wherever spans go.

    Raises:
        MissingExtraError: If opentelemetry-api is not installed.
    """

    def __init__(
        self,
        *,
        tracer: Tracer | None = None,
        clock: Clock | None = None,
        record_content: bool = False,
    ) -> None:
        try:
            from opentelemetry import trace
        except ImportError as error:
            raise MissingExtraError(feature="GenAISpans", extra="metrics") from error
        self._api = trace
        self._tracer = tracer or trace.get_tracer("perfwright")
        self._clock = clock or SystemClock()
        self._latest = wants_latest()
        self._record_content = record_content

    def finished(self, trace: CallTrace) -> None:
        """Make the spans of a call."""
        facts, api = Facts(trace), self._api
        offset_s = self._clock.today().timestamp() - self._clock.now()
        attributes = identity(facts, latest=self._latest)
        span = self._tracer.start_span(
            f"{trace.operation} {facts.model}".rstrip(),
            kind=api.SpanKind.CLIENT,
            attributes=attributes,  # with these a sampler decides
            start_time=_nanoseconds(trace.start_s + offset_s),
        )
        if span.is_recording():
            span.set_attributes(self._details(facts))
            if trace.error is not None:
                said = str(trace.error) if self._record_content else attributes["error.type"]
                span.set_status(api.Status(api.StatusCode.ERROR, said))
            for stage in trace.stages:
                self._make_child(span, stage, offset_s=offset_s)
        span.end(_nanoseconds(trace.end_s + offset_s))

    def _details(self, facts: Facts) -> dict[str, Any]:
        details = {
            **of_request(facts, latest=self._latest),
            **of_answer(facts, latest=self._latest),
            **of_runtime(facts),
        }
        return {**details, **content_of(facts)} if self._record_content else details

    def _make_child(self, span: Span, stage: Stage, *, offset_s: float) -> None:
        child = self._tracer.start_span(
            stage.name,
            context=self._api.set_span_in_context(span),
            attributes=_flat(stage.facts),
            start_time=_nanoseconds(stage.start_s + offset_s),
        )
        if has_failed(stage):
            child.set_status(self._api.Status(self._api.StatusCode.ERROR))
        child.end(_nanoseconds(stage.end_s + offset_s))


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1_000_000_000)


def _flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as attributes; a value that cannot be one becomes its type's name."""
    return {
        f"perfwright.{name}": value
        if isinstance(value, str | bool | int | float)
        else type(value).__name__
        for name, value in facts.items()
        if value is not None
    }
