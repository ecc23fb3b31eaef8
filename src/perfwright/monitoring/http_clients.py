"""Calls to other services as spans that the services can join: httpx, requests and aiohttp."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from perfwright.monitoring.propagation import inject
from perfwright.monitoring.spans import Span
from perfwright.monitoring.tracing import get_monitor

if TYPE_CHECKING:
    from types import SimpleNamespace

    import aiohttp
    import httpx

    from perfwright.monitoring.monitor import PerformanceMonitor

_FAILED_FROM = 400
"""Statuses that mean failure to a caller, as OpenTelemetry's conventions have it."""


def httpx_transport(
    inner: httpx.BaseTransport | None = None, *, monitor: PerformanceMonitor | None = None
) -> httpx.BaseTransport:
    """Return a transport whose requests are spans: `httpx.Client(transport=httpx_transport())`.

    A span ends when the head of the answer has come; its body is read later.

    A client that is given a transport leaves connections to it: its own `verify`, `cert`, `http2`,
    `limits` and the proxies of the environment do nothing then. Say them to the transport:
    `httpx_transport(httpx.HTTPTransport(verify=context, http2=True, proxy=...))`.

    Args:
        inner: What really sends; by default a new `httpx.HTTPTransport()`.
        monitor: Takes the spans; by default the process-wide one.
    """
    import httpx

    sender = inner or httpx.HTTPTransport()

    class Traced(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            with _start(request.method, str(request.url), monitor=monitor) as span:
                inject(request.headers, context=span)
                response = sender.handle_request(request)
                _answered(span, response.status_code)
                return response

        def close(self) -> None:
            sender.close()

    return Traced()


def httpx_async_transport(
    inner: httpx.AsyncBaseTransport | None = None, *, monitor: PerformanceMonitor | None = None
) -> httpx.AsyncBaseTransport:
    """Return the same for `httpx.AsyncClient`; `inner` is an `httpx.AsyncHTTPTransport`."""
    import httpx

    sender = inner or httpx.AsyncHTTPTransport()

    class Traced(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            with _start(request.method, str(request.url), monitor=monitor) as span:
                inject(request.headers, context=span)
                response = await sender.handle_async_request(request)
                _answered(span, response.status_code)
                return response

        async def aclose(self) -> None:
            await sender.aclose()

    return Traced()


def requests_adapter(inner: Any = None, *, monitor: PerformanceMonitor | None = None) -> Any:
    """Return an adapter of `requests` that makes a span of each request.

    Use: `session.mount("https://", requests_adapter())`, and for `http://` likewise.

    Args:
        inner: What really sends; by default a new `requests.adapters.HTTPAdapter`.
        monitor: Takes the spans; by default the process-wide one.
    """
    from requests.adapters import BaseAdapter, HTTPAdapter

    sender = inner or HTTPAdapter()

    class Traced(BaseAdapter):
        def send(self, request: Any, *args: Any, **options: Any) -> Any:
            with _start(request.method, request.url, monitor=monitor) as span:
                inject(request.headers, context=span)
                response = sender.send(request, *args, **options)
                _answered(span, response.status_code)
                return response

        def close(self) -> None:
            sender.close()

        def __reduce__(self) -> Any:
            """Pickle as the call that made it: the class has no name to be found by."""
            return partial(requests_adapter, monitor=monitor), (sender,)

    return Traced()


def aiohttp_trace_config(*, monitor: PerformanceMonitor | None = None) -> aiohttp.TraceConfig:
    """Return what makes spans of a session's requests.

    Use: `aiohttp.ClientSession(trace_configs=[aiohttp_trace_config()])`. A redirect is a part of
    the span of the request that led to it.
    """
    import aiohttp

    async def on_start(
        _: Any, held: SimpleNamespace, sent: aiohttp.TraceRequestStartParams
    ) -> None:
        held.span = _start(sent.method, str(sent.url), monitor=monitor)
        inject(sent.headers, context=held.span)

    async def on_end(_: Any, held: SimpleNamespace, got: aiohttp.TraceRequestEndParams) -> None:
        _answered(held.span, got.response.status)
        held.span.__exit__(None, None, None)

    async def on_error(
        _: Any, held: SimpleNamespace, failed: aiohttp.TraceRequestExceptionParams
    ) -> None:
        error = failed.exception
        held.span.__exit__(type(error), error, error.__traceback__)

    config = aiohttp.TraceConfig()
    config.on_request_start.append(on_start)
    config.on_request_end.append(on_end)
    config.on_request_exception.append(on_error)
    return config


def _start(method: str | None, url: str | None, *, monitor: PerformanceMonitor | None) -> Span:
    """Start the span of a call; its name and tags hold no path's or query's secrets."""
    parts = urlsplit(url or "")
    host = parts.hostname or ""
    method = (method or "GET").upper()
    tags: dict[str, Any] = {
        "http.request.method": method,
        "server.address": host,
        "url.full": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}",
    }
    chosen = monitor if monitor is not None else get_monitor()
    return chosen.start_trace(f"{method} {host}".rstrip(), kind="client", tags=tags)


def _answered(span: Span, status: int) -> None:
    """Note how a call ended."""
    span.add_tag("http.response.status_code", status)
    if status >= _FAILED_FROM:
        span.set_error(f"HTTP {status}")
