"""Requests to this service as spans that join their caller's trace: ASGI and aiohttp."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from perfwright.monitoring.propagation import extract
from perfwright.monitoring.spans import Span
from perfwright.monitoring.tracing import get_monitor

if TYPE_CHECKING:
    from aiohttp import web

    from perfwright.monitoring.monitor import PerformanceMonitor

_FAILED_FROM = 500
"""Statuses that mean failure to a server, as OpenTelemetry's conventions have it."""
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
    Starlette and FastAPI do; else by the method alone, as paths have too many values. It ends when
    the application returns, after the answer's body.

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
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        with _start(scope["method"], scope["path"], headers=headers, monitor=self._monitor) as span:

            async def watched(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _answered(span, message["status"])
                await send(message)

            try:
                await self._app(scope, receive, watched)
            finally:
                _rename(span, _route(scope))


def aiohttp_middleware(*, monitor: PerformanceMonitor | None = None) -> Any:
    """Return a middleware: `web.Application(middlewares=[aiohttp_middleware()])`.

    Spans are named by the resource's canonical path, `GET /users/{id}`.

    Args:
        monitor: Takes the spans; by default the process-wide one.
    """
    from aiohttp import web

    @web.middleware
    async def traced(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        resource = request.match_info.route.resource
        headers = request.headers
        with _start(request.method, request.path, headers=headers, monitor=monitor) as span:
            _rename(span, resource.canonical if resource is not None else None)
            try:
                response = await handler(request)
            except web.HTTPException as answer:  # not a failure by itself: a redirect is one
                _answered(span, answer.status)
                response = answer
            else:
                _answered(span, response.status)
        if isinstance(response, web.HTTPException):
            raise response
        return response

    return traced


def _start(
    method: str, path: str, *, headers: Mapping[str, str], monitor: PerformanceMonitor | None
) -> Span:
    chosen = monitor if monitor is not None else get_monitor()
    known = method if method in _METHODS else "_OTHER"
    tags = {"http.request.method": known, "url.path": path}
    return chosen.start_trace(known, parent=extract(headers), kind="server", tags=tags)


def _rename(span: Span, route: str | None) -> None:
    if route is not None and span.trace_id:  # the span of a disabled monitor is everybody's
        span.name = f"{span.name} {route}"


def _answered(span: Span, status: int) -> None:
    span.add_tag("http.response.status_code", status)
    if status >= _FAILED_FROM:
        span.set_error(f"HTTP {status}")


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
