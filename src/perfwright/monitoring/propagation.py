"""Which trace a message belongs to: W3C Trace Context in headers, read and written.

Source: W3C Recommendation "Trace Context", level 1, with the parsing rules of level 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping

from perfwright.monitoring.spans import Span, SpanContext, current

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
_SAMPLED = 1
_VERSION = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<more>-.*)?",
    re.ASCII | re.DOTALL,
)
_KEY = r"[a-z0-9](?:[a-z0-9_\-*/]{0,255}|[a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
_MEMBER = re.compile(rf"{_KEY}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
_MAX_MEMBERS = 32
_ALL_LINES = ("getall", "get_list", "getlist", "get_all")
"""Of multidict (aiohttp), httpx, Starlette and Werkzeug, and the standard library's messages."""
_WITH_DEFAULT = ("getall", "get_all")
_MAX_HEADER = 8_192
"""Characters; what is longer is no trace context but an attack."""


def parse_traceparent(text: str) -> SpanContext | None:
    """Read the header `traceparent`; None if it says nothing valid, as the standard asks."""
    if len(text) > _MAX_HEADER:
        return None
    found = _VERSION.fullmatch(text.strip(" \t"))
    if found is None or found["version"] == "ff":
        return None
    if found["more"] is not None and found["version"] == "00":
        return None  # a later version may have more fields, this one has not
    trace_id, span_id = int(found["trace"], 16), int(found["span"], 16)
    if not trace_id or not span_id:
        return None
    return SpanContext(
        trace_id=trace_id, span_id=span_id, sampled=bool(int(found["flags"], 16) & _SAMPLED)
    )


def format_traceparent(context: Span | SpanContext) -> str:
    """Write the header `traceparent`."""
    flags = "01" if context.kept else "00"
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags}"


def parse_tracestate(texts: Iterable[str]) -> str:
    """Return the header `tracestate` as it is to be sent on; empty if it is not valid.

    Args:
        texts: The header's lines in their order: a message may have several.
    """
    members = [each for text in texts for part in text.split(",") if (each := part.strip(" \t"))]
    keys = {member.partition("=")[0] for member in members}
    if len(members) > _MAX_MEMBERS or len(keys) < len(members):
        return ""
    return ",".join(members) if all(map(_MEMBER.fullmatch, members)) else ""


def extract(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> SpanContext | None:
    """Return whose part a received message is; None if it does not say so.

    Lines of `tracestate` are joined in their order. More than one `traceparent` says nothing: they
    may name different traces.

    Args:
        headers: Of the message, as a mapping or in pairs; names in any case.

    Raises:
        TypeError: If they are neither.
    """
    if isinstance(headers, Iterator):
        headers = [*headers]  # to be looked through twice
    parents = _lines(headers, TRACEPARENT)
    context = parse_traceparent(parents[0]) if len(parents) == 1 else None
    if context is None:
        return None
    states = _lines(headers, TRACESTATE)
    if not states or sum(map(len, states)) > _MAX_HEADER:
        return context
    return SpanContext(
        trace_id=context.trace_id,
        span_id=context.span_id,
        sampled=context.sampled,
        trace_state=parse_tracestate(states),
    )


def inject(headers: MutableMapping[str, str], *, context: Span | SpanContext | None = None) -> None:
    """Say in a message's headers whose part it is; they stay as they are if there is no span.

    What they said before of another trace, as headers that are handed on do, is taken out.

    Args:
        headers: Of the message.
        context: The span to name; by default the current one.
    """
    context = context if context is not None else current()
    if context is None or not context.trace_id:  # a disabled monitor's span has no identifiers
        return
    for name in [each for each in headers if str(each).lower() in (TRACEPARENT, TRACESTATE)]:
        headers.pop(name, None)  # which may have gone with its like in another case
    headers[TRACEPARENT] = format_traceparent(context)
    if context.trace_state:
        headers[TRACESTATE] = context.trace_state


def _lines(headers: Mapping[str, str] | Iterable[tuple[str, str]], name: str) -> list[str]:
    """Return all lines of a header, in their order."""
    for method in _ALL_LINES:  # of a mapping that ignores case, and may have a name several times
        if (find := getattr(headers, method, None)) is not None:
            found = find(name, None) if method in _WITH_DEFAULT else find(name)
            return [line for line in found or () if isinstance(line, str)]
    if isinstance(headers, Mapping):
        if not isinstance(headers, dict) and (line := headers.get(name)) is not None:
            return [line] if isinstance(line, str) else []
        headers = headers.items()
    try:
        return [line for key, line in headers if str(key).lower() == name and isinstance(line, str)]
    except (TypeError, ValueError):
        given = type(headers).__name__
        raise TypeError(f"headers are a mapping, or pairs of texts, not {given}") from None
