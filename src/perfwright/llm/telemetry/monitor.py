"""Calls as spans of the performance monitor, beside those of the program that makes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from perfwright.core import Clock
from perfwright.llm.telemetry.conventions import (
    identity,
    of_answer,
    of_request,
    of_runtime,
    wants_latest,
)
from perfwright.llm.telemetry.facts import Facts, has_failed
from perfwright.llm.tracing import CallTrace, Stage
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.spans import CURRENT, OFF, Span, SpanKind, current
from perfwright.monitoring.tags import described, plain_tags

_MAX_ID = 2**64


class MonitorSink:
    """Makes one span for each call, with a span below it for each of its stages.

    They hang below the span that is current where the call was made. A call is counted as the
    operation `chat MODEL`, a stage as `llm.attempt`, `llm.cache`, `llm.limit_wait` ...; tags have
    the names of OpenTelemetry's conventions for generative AI, without any content.

    Args:
        monitor: Takes the spans.
        clock: The adapter's, if it is not the monitor's too.
        record_content: Put the texts of errors into the spans. They may quote a prompt.
    """

    def __init__(
        self,
        monitor: PerformanceMonitor,
        *,
        clock: Clock | None = None,
        record_content: bool = False,
    ) -> None:
        self._monitor, self._clock = monitor, clock
        self._record_content = record_content
        self._latest = wants_latest()

    def finished(self, trace: CallTrace) -> None:
        """Hand the spans of a call to the monitor."""
        if not self._monitor.enabled or CURRENT.get() is OFF:  # no spans are wanted here
            return
        for span in self._spans(trace, current()):
            self._monitor.ingest(span, own=True)

    def _spans(self, trace: CallTrace, around: Span | None) -> Iterator[Span]:
        """Yield the span of a call after those of its stages, in the order of their ends."""
        facts = Facts(trace)
        span_id = int(trace.span_id, 16) or 1
        shift_s = self._shift_s()

        def span(
            name: str,
            *,
            number: int,
            parent_id: int,
            times: CallTrace | Stage,
            kind: SpanKind,
            tags: Mapping[str, Any],
            error: str | None,
        ) -> Span:
            return Span(
                name,
                trace_id=around.trace_id if around is not None else int(trace.trace_id, 16) or 1,
                span_id=number,
                parent_id=parent_id,
                kind=kind,
                start_s=times.start_s + shift_s,
                end_s=times.end_s + shift_s,
                tags=plain_tags(tags),
                error=error,
                kept=around.kept if around is not None else True,
                resource=self._monitor.resource,
            )

        for number, stage in enumerate(trace.stages, start=1):
            yield span(
                f"llm.{stage.name}",
                number=(span_id + number) % _MAX_ID or 1,
                parent_id=span_id,
                times=stage,
                kind="client" if stage.name == "attempt" else "internal",
                tags=_tags(stage.facts),
                error=_stage_error(stage),
            )
        yield span(
            f"{trace.operation} {facts.model}".rstrip(),
            number=span_id,
            parent_id=around.span_id if around is not None else 0,
            times=trace,
            kind="client",
            tags=self._details(facts),
            error=self._error(facts),
        )

    def _shift_s(self) -> float:
        """Return what turns the adapter's seconds into the monitor's."""
        if self._clock is None:
            return 0.0
        wall_s = self._clock.today().timestamp() - self._clock.now()
        return wall_s - self._monitor.wall_s(0.0)

    def _details(self, facts: Facts) -> dict[str, Any]:
        return {
            **identity(facts, latest=self._latest),
            **of_request(facts, latest=self._latest),
            **of_answer(facts, latest=self._latest),
            **of_runtime(facts),
        }

    def _error(self, facts: Facts) -> str | None:
        error = facts.trace.error
        if error is None or not isinstance(error, Exception):  # a cancelled call did not fail
            return None
        return described(error) if self._record_content else facts.error_type


def _stage_error(stage: Stage) -> str | None:
    if not has_failed(stage):
        return None
    status = stage.facts.get("status")
    return f"HTTP {status}" if status else "no answer"


def _tags(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as tags; of what is no plain value, which may hold content, the type."""
    return {
        f"perfwright.{name}": value
        if isinstance(value, str | bool | int | float)
        else type(value).__name__
        for name, value in facts.items()
        if value is not None
    }
