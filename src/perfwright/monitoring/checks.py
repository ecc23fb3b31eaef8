"""Arguments of the monitor, judged before they do harm."""

from __future__ import annotations

import math
from collections.abc import Sequence

from perfwright.core.errors import ConfigError
from perfwright.monitoring.spans import OFF, SPAN_KINDS, Owner, Span, SpanContext


def number(value: object, *, field: str, low: float, high: float = math.inf) -> float:
    """Return `value` if it is a number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{field} is a number, not {type(value).__name__}")
    if not low <= value <= high:
        problem = f"must be from {low:g} to {high:g}" if high < math.inf else f"at least {low:g}"
        raise ConfigError(field=field, value=value, problem=problem)
    try:
        return float(value)
    except OverflowError:
        raise ConfigError(
            field=field, value=f"{str(value)[:8]}...", problem="beyond all floating point numbers"
        ) from None


def has(value: object, *, field: str, methods: Sequence[str], example: str) -> None:
    """Refuse what is neither None nor has these methods."""
    if value is not None and not all(callable(getattr(value, name, None)) for name in methods):
        raise TypeError(f"{field} is an object such as {example}, not {type(value).__name__}")


def whole(value: object, *, field: str, low: int) -> int:
    """Return `value` if it is a whole number of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{field} is a whole number, not {type(value).__name__}")
    if value < low:
        raise ConfigError(field=field, value=value, problem=f"at least {low}")
    return value


def duration(value: object, *, field: str) -> float:
    """Return `value` if it is a finite number of seconds, not negative."""
    seconds = number(value, field=field, low=0.0)
    if seconds == math.inf:
        raise ConfigError(field=field, value=value, problem="must be finite")
    return seconds


def span_name(name: object, *, kind: object) -> None:
    """Refuse what no span can be named, or no role that it can have."""
    if not isinstance(name, str):
        raise TypeError(f"the name of a span is a string, not {type(name).__name__}")
    if kind not in SPAN_KINDS:
        known = ", ".join(sorted(SPAN_KINDS))
        raise ConfigError(field="kind", value=kind, problem=f"must be one of {known}")


def ended(span: Span) -> None:
    """Refuse a span that cannot have happened."""
    span_name(span.name, kind=span.kind)
    if not (math.isfinite(span.start_s) and math.isfinite(span.end_s)):
        raise ConfigError(field="end_s", value=span.end_s, problem="the span has not ended")
    if span.end_s < span.start_s:
        raise ConfigError(field="end_s", value=span.end_s, problem="the span ends before it starts")
    SpanContext(span.trace_id, span.span_id)  # which refuses what are no identifiers


def parent(value: object) -> Span | SpanContext | None:
    """Return `value` if a span can be a part of it; the span of a disabled monitor is nothing."""
    if value is OFF:
        return None
    if isinstance(value, (Span, SpanContext)):
        return value
    raise TypeError(f"a parent is a Span or a SpanContext, not {type(value).__name__}")


def error(value: object) -> BaseException | str:
    """Return `value` if it says what failed."""
    if isinstance(value, (BaseException, str)):
        return value
    raise TypeError(f"an error is an exception or a text, not {type(value).__name__}")


def owner(span: object) -> Owner:
    """Return the monitor that started `span`."""
    if not isinstance(span, Span):
        raise TypeError(f"finish_trace needs a span, not {type(span).__name__}")
    if span._owner is None:
        raise TypeError(f"{span!r} was not started by a monitor: hand it to ingest")
    return span._owner


def not_async(function: object, *, field: str) -> None:
    """Refuse a coroutine function where nobody would await what it returns."""
    from inspect import iscoroutinefunction

    if iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004
        problem = "is called, not awaited: give a plain function, which may start a task"
        raise TypeError(f"{field} {problem}, not {function!r}")
