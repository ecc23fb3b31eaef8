"""One operation as it happened: what every analysis of the monitor reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import Any, Literal, Protocol, Self, get_args

from perfwright.monitoring._collections import RUNNING, is_collecting
from perfwright.monitoring.span_context import SpanContext as SpanContext  # noqa: PLC0414
from perfwright.monitoring.tags import (
    BIG,
    LEAST,
    MAX_KEY,
    MAX_TAGS,
    SHORT_KEY,
    SHORT_TEXT,
    Large,
    are_small,
    described,
    plain,
    plain_tags,
)

SpanKind = Literal["internal", "server", "client", "producer", "consumer"]
SPAN_KINDS = frozenset(get_args(SpanKind))
Log = tuple[float, str, Mapping[str, Any]]
"""When, in seconds of the monitor's clock; what; and its facts."""

MAX_LOGS = 64
"""Of one span; later ones are dropped and counted, as OpenTelemetry does beyond 128."""
UNFINISHED = math.nan
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Owner(Protocol):
    """What a span asks of the monitor that started it."""

    def now(self) -> float:
        """Seconds of the monitor's clock."""

    def finish_trace(self, span: Span, error: BaseException | str | None = None) -> None:
        """End `span`."""

    def count_misuse(self, what: str) -> None:
        """Count something that was not kept, or a call that made no sense."""


class Span:
    """An operation with its place in a trace; mutable until it is finished.

    Times are seconds of the monitor's clock (`PerformanceMonitor.wall_s` turns them into seconds
    since 1970). Identifiers are numbers, as they are made by the million and written rarely.

    `PerformanceMonitor.start_trace` makes them; the constructor is for what `ingest` takes.
    """

    __slots__ = (
        "_depth",
        "_owner",
        "_token",
        "end_s",
        "error",
        "kept",
        "kind",
        "logs",
        "name",
        "parent_id",
        "resource",
        "span_id",
        "start_s",
        "tags",
        "trace_id",
        "trace_state",
    )

    name: str
    """The operation; few values each, as histograms are kept by it."""
    trace_id: int
    """128 bits, never 0."""
    span_id: int
    """64 bits, never 0."""
    parent_id: int
    """The span that this one is a part of, possibly in another process; 0: none."""
    kind: SpanKind
    start_s: float
    end_s: float
    """Not a number until finished."""
    tags: dict[str, Any] | None
    """None until the first one."""
    logs: list[Log] | None
    error: str | None
    """`Type: message` of what it failed with; None: it did not fail."""
    kept: bool
    """Whether head sampling chose this trace; tail sampling may still keep others."""
    resource: Mapping[str, Any]
    """Of the process that it ran in: `{"service.name": "shop"}`; shared by all of a process."""
    trace_state: str
    """The `tracestate` that came with the trace; empty for most."""
    _depth: int
    """How many spans of this process are around it."""
    _owner: Owner | None
    _token: Token[Span | None] | Stale | Span | None
    """What makes the span around it current again; None once that was done. Until it is current
    itself, the span around it, or `ALONE`: see `alive`."""

    def __init__(
        self,
        name: str,
        *,
        trace_id: int,
        span_id: int,
        start_s: float,
        end_s: float = UNFINISHED,
        parent_id: int = 0,
        kind: SpanKind = "internal",
        tags: dict[str, Any] | None = None,
        logs: list[Log] | None = None,
        error: str | None = None,
        kept: bool = True,
        resource: Mapping[str, Any] = NOTHING,
        trace_state: str = "",
    ) -> None:
        self.name, self.kind = name, kind
        self.trace_id, self.span_id, self.parent_id = trace_id, span_id, parent_id
        self.start_s, self.end_s = start_s, end_s
        self.tags, self.logs, self.error = tags, logs, error
        self.kept, self.resource, self.trace_state = kept, resource, trace_state
        self._depth, self._owner, self._token = 0, None, None

    @property
    def seconds(self) -> float:
        """How long it took; not a number until it is finished."""
        return self.end_s - self.start_s

    @property
    def finished(self) -> bool:
        """Whether it has ended."""
        return self.end_s == self.end_s  # not a number equals nothing, not even itself

    @property
    def trace_id_hex(self) -> str:
        """As W3C Trace Context has it: 32 hexadecimal digits."""
        return f"{self.trace_id:032x}"

    @property
    def span_id_hex(self) -> str:
        """16 hexadecimal digits."""
        return f"{self.span_id:016x}"

    @property
    def context(self) -> SpanContext | None:
        """What to hand to another process or thread; None for the span of a disabled monitor."""
        ids = (self.trace_id, self.span_id)
        return SpanContext(*ids, self.kept, self.trace_state) if self.trace_id else None

    def add_tag(self, key: str, value: Any) -> None:
        """Say a fact about the whole operation, such as `("user", 17)`; the last of a key wins.

        What is no string, number or truth value, nor a short sequence of these, is kept as its
        `repr`, so that a span never keeps a large object alive. Beyond `MAX_TAGS` tags, or once
        the span is finished, a tag is dropped and counted.

        Raises:
            TypeError: If the key is no string.
        """
        # The usual first tag is checked here, as the calls for others cost 110 ns.
        if (
            self.tags is None
            and self.end_s is UNFINISHED
            and type(key) is str
            and len(key) <= SHORT_KEY
            and (
                len(value) <= SHORT_TEXT
                if type(value) is str
                else type(value) is int and LEAST <= value < BIG
            )
        ):
            self.tags = {key: value}
        else:
            self._add_tag(key, value)

    def _add_tag(self, key: str, value: Any) -> None:
        value = plain(value)
        tags = self.tags
        if self._room_for(key, tags):
            tags = self.tags = {} if tags is None else tags
            tags[key[:MAX_KEY]] = value
            if type(tags) is not Large and not are_small(tags):
                self.tags = Large(tags)

    def _room_for(self, key: str, tags: dict[str, Any] | None) -> bool:
        if not isinstance(key, str):
            raise TypeError(f"the key of a tag is a string, not {type(key).__name__}")
        if self.finished:
            self._lose("changed_after_finish")
        elif tags is None or len(tags) < MAX_TAGS or key in tags:
            return True
        else:
            self._lose("tags")
        return False

    def add_log(self, message: str, /, **facts: Any) -> None:
        """Note that something happened now; beyond `MAX_LOGS` it is dropped and counted."""
        if not isinstance(message, str):
            raise TypeError(f"the message of a log is a string, not {type(message).__name__}")
        if self.finished or self._owner is None:
            self._lose("changed_after_finish")
            return
        logs = self.logs = [] if self.logs is None else self.logs
        if len(logs) >= MAX_LOGS:
            self._lose("logs")
        else:
            logs.append((self._owner.now(), plain(message), plain_tags(facts)))

    def set_error(self, error: BaseException | str) -> None:
        """Say what it failed with, without raising; a failed span is always kept.

        An exception that only ends the operation early (`asyncio.CancelledError`, `GeneratorExit`,
        `KeyboardInterrupt`) becomes the tag `interrupted`: the operation itself did not fail.
        """
        if not isinstance(error, (str, BaseException)):
            raise TypeError(f"an error is an exception or a text, not {type(error).__name__}")
        if self.finished:
            self._lose("changed_after_finish")
        else:
            self._fail(error)

    def _fail(self, error: BaseException | str) -> None:
        if isinstance(error, str):
            self.error = plain(error)
        elif isinstance(error, Exception):
            self.error = described(error)
        else:
            self.tags = {**(self.tags or {}), "interrupted": type(error).__name__}

    def detach(self) -> None:
        """Stop being the current span, for an operation that others interleave with.

        To be called right after the start, by the same task or thread; the span stays open.
        """
        token = self._token
        if RUNNING and is_collecting():
            return
        if isinstance(token, Token) and CURRENT.get() is self:
            CURRENT.reset(token)
            self._token = None

    def bound(self) -> None:
        """Cut what came from another process to what a span of this one could have."""
        if self.tags is not None:
            self.tags = plain_tags(self.tags)
        if self.logs is not None:
            kept = self.logs[:MAX_LOGS]
            self.logs = [(at_s, plain(what), plain_tags(facts)) for at_s, what, facts in kept]
        if self.error is not None:
            self.error = str(plain(self.error))
        self.trace_state = str(plain(self.trace_state))

    def _lose(self, what: str) -> None:
        if self._owner is not None:
            self._owner.count_misuse(what)

    def __enter__(self) -> Self:
        return self

    def __exit__(  # noqa: PLR0917 - as Python calls it
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        owner = self._owner
        if owner is not None:
            owner.finish_trace(self, error)

    def __repr__(self) -> str:
        took = f"{self.seconds:.6f} s" if self.finished else "open"
        return f"<Span {self.name!r} {took} trace={self.trace_id_hex} span={self.span_id_hex}>"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the facts only: the monitor and the context stay in their process."""
        given = {name: getattr(self, name) for name in self.__slots__ if name[0] != "_"}
        return _unpickled, (given | {"resource": dict(self.resource)},)


def _unpickled(given: dict[str, Any]) -> Span:
    return Span(**given)


class Stale:
    """Marks a span that is current in a context, but was finished in another one."""

    __slots__ = ("around",)

    def __init__(self, around: Span | None) -> None:
        self.around = around


ALONE = Stale(None)
"""Of a span that is being made, with none around it."""


class _Off(Span):
    """What a disabled monitor hands out: takes everything, keeps nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        self._token = ALONE  # so that starting a span looks twice at it
        super().__init__("", trace_id=0, span_id=0, start_s=0.0, end_s=0.0, kept=False)

    def __setattr__(self, name: str, value: Any) -> None:
        """Keep the first value: all disabled monitors of the process share this span."""
        if not hasattr(self, name):
            super().__setattr__(name, value)

    def add_tag(self, key: str, value: Any) -> None:
        """Do nothing."""

    def add_log(self, message: str, /, **facts: Any) -> None:
        """Do nothing."""

    def set_error(self, error: BaseException | str) -> None:
        """Do nothing."""


OFF = _Off()
"""The only span of a disabled monitor: its identifiers are 0, so it is nobody's parent."""

CURRENT: ContextVar[Span | None] = ContextVar("perfwright_span", default=None)
"""One for all monitors, so that the spans of several of them share a trace."""


def current() -> Span | None:
    """Return the span that is around the code that asks, in this task or thread.

    It may have finished already: a task goes on with the span that was around its creation. In a
    finalizer that the garbage collector calls, there is none: see `_collections`.
    """
    if RUNNING and is_collecting():
        return None
    span = CURRENT.get()
    return alive(span) if span is not None else None


def alive(span: Span) -> Span | None:
    """Return `span`, or the nearest one around it that is rightly current in this context.

    It is not where it was finished behind this context's back. Neither is it where an exception of
    a signal handler, or one set by another thread, came in the midst of its start or its end: then
    nobody has it to finish it, or it was finished and is still here.
    """
    found: Span | None = span
    while found is not None:
        token = found._token
        if token is None or (isinstance(token, Token) and not found.finished):
            return found
        found = around_of(found)
    return None


def shed(span: Span) -> Span | None:
    """Return as `alive` does; what was finished behind this context's back is let go of."""
    found, token = alive(span), span._token
    if isinstance(token, Stale) and token is not ALONE:
        CURRENT.set(found)  # else each start passes by all that were ever finished so
    return found


def around_of(span: Span) -> Span | None:
    """Return what was current when `span` started, even if that has ended."""
    token = span._token
    if isinstance(token, Stale):
        return token.around
    before = token.old_value if isinstance(token, Token) else token
    return before if isinstance(before, Span) else None


def trace_id_of(span: Span) -> int:
    """Return the trace of what is current where the context says `span`; 0: nothing is."""
    if type(span._token) is not Token or span.end_s is not UNFINISHED:
        return found.trace_id if (found := alive(span)) is not None else 0
    return span.trace_id
