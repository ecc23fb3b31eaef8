"""Requests to this service as spans that join their caller's trace: ASGI and aiohttp."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from perfwright.monitoring._awaiting import within
from perfwright.monitoring.propagation import TRACEPARENT, TRACESTATE, extract
from perfwright.monitoring.spans import OFF, Span
from perfwright.monitoring.tracing import get_monitor

if TYPE_CHECKING:
    from aiohttp import web

    from perfwright.monitoring.monitor import PerformanceMonitor

_FAILED = 500
"""From this status on a server has failed, as OpenTelemetry's conventions have it."""
_STATUS = "http.response.status_code"
_CONTEXT = frozenset({TRACEPARENT.encode(), TRACESTATE.encode()})
_BODIES = frozenset({"http.response.body", "http.response.pathsend"})
"""Messages that end an answer, unless they say that more comes."""
_METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class TracingMiddleware:
    """Makes a span of each request to an ASGI application: Starlette, FastAPI, Django, Quart.

    The span is named by the route, `GET /users/{id}`, where the framework tells it in the scope as
    Starlette and FastAPI do; else by the method alone, as paths have too many values. It ends with
    the last part of the answer's body. What the application does after that, such as background
    tasks, takes no time of it; spans of theirs are parts of the same trace. After an answer of 500
    or more it ends with the application, which may raise what went wrong.

    Args:
        app: The application.
        monitor: Takes the spans; by default the process-wide one.
    """

    def __init__(self, app: App, *, monitor: PerformanceMonitor | None = None) -> None:
        self._app, self._monitor = app, monitor

    async def __call__(  # noqa: PLR0917 - ASGI's
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve a connection; those that are not HTTP requests have no span."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in scope["headers"]
            if name.lower() in _CONTEXT
        ]
        span = _start(scope["method"], scope["path"], headers=headers, monitor=self._monitor)
        if span is OFF:  # not to be entered: it would hide the spans of other monitors
            await self._app(scope, receive, send)
            return
        span.detach()  # its end may come in a task that the framework answers from

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                _answered(span, message["status"])
            await send(message)
            is_over = message["type"] in _BODIES and not message.get("more_body")
            if is_over and span.error is None:  # else what failed is still to be raised
                _end(span, scope)

        with within(span):
            try:
                await self._app(scope, receive, watched)
            except BaseException as error:
                _end(span, scope, error=error)
                raise
            else:
                _end(span, scope)


def aiohttp_middleware(*, monitor: PerformanceMonitor | None = None) -> Any:
    """Return a middleware: `web.Application(middlewares=[aiohttp_middleware()])`.

    Spans are named by the resource's canonical path, `GET /users/{id}`. WebSockets have none.

    Args:
        monitor: Takes the spans; by default the process-wide one.
    """
    from aiohttp import web

    @web.middleware
    async def traced(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if web.WebSocketResponse().can_prepare(request):  # a conversation is no request
            return await handler(request)
        resource = request.match_info.route.resource
        headers = request.headers
        with _start(request.method, request.path, headers=headers, monitor=monitor) as span:
            _rename(span, resource.canonical if resource is not None else None)
            try:
                response = await handler(request)
            except web.HTTPException as answer:  # not a failure by itself: a redirect is one
                _answered(span, answer.status)
                response = answer
            except Exception:
                span.add_tag(_STATUS, _FAILED)
                raise
            else:
                _answered(span, response.status)
        if isinstance(response, web.HTTPException):
            raise response
        return response

    return traced


def _start(
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    monitor: PerformanceMonitor | None,
) -> Span:
    chosen = monitor if monitor is not None else get_monitor()
    known = method if method in _METHODS else "_OTHER"
    tags = {"http.request.method": known, "url.path": path}
    return chosen.start_trace(known, parent=extract(headers), kind="server", tags=tags)


def _rename(span: Span, route: str | None) -> None:
    if route is not None and span.trace_id:  # the span of a disabled monitor is everybody's
        span.name = f"{span.name} {route}"


def _answered(span: Span, status: int) -> None:
    span.add_tag(_STATUS, status)
    if status >= _FAILED:
        span.set_error(f"HTTP {status}")


def _end(span: Span, scope: Scope, *, error: BaseException | None = None) -> None:
    """Finish the span of a request, unless it has ended with the answer."""
    if span.finished or span._owner is None:
        return
    _rename(span, _route(scope))
    if isinstance(error, Exception) and _STATUS not in (span.tags or {}):
        span.add_tag(_STATUS, _FAILED)  # which is what the server answers in its place
    with within(None):  # a detached span that is current cannot be finished
        span._owner.finish_trace(span, error)


def _route(scope: Scope) -> str | None:
    """Return the pattern that a path matched; None if the framework does not say it."""
    values = scope.get("path_params") or {}
    pattern = getattr(scope.get("route"), "path", None)  # FastAPI, and Starlette from 1.0
    if isinstance(pattern, str):
        root = scope.get("root_path", "")
        mounted = root[len(scope.get("app_root_path", root)) :]
        return _pattern(mounted, values)[0] + pattern
    if "endpoint" not in scope:  # no older Starlette either, or no route matched
        return None
    path, complete = _pattern(scope["path"], values)
    return path if complete else None  # a value in it would make a name of its own


def _pattern(path: str, values: Mapping[str, Any]) -> tuple[str, bool]:
    """Put names into a path where their values are; returns whether all were there."""
    complete = True
    for name, value in values.items():
        found = [*re.finditer(rf"(?<=/){re.escape(str(value))}(?=/|$)", path)]
        if found:
            path = f"{path[: found[-1].start()]}{{{name}}}{path[found[-1].end() :]}"
        complete = complete and bool(found)
    return path, complete
