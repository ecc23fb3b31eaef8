"""Requests to an ASGI application as spans, without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from perfwright.monitoring.http_clients import httpx_async_transport
from perfwright.monitoring.http_servers import TracingMiddleware
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.spans import Span

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def show(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(request.path_params))


async def boom(_: Request) -> PlainTextResponse:
    raise ValueError("boom")


async def teapot(_: Request) -> PlainTextResponse:
    raise HTTPException(418)


async def down(_: Request) -> PlainTextResponse:
    return PlainTextResponse("no", status_code=503)


ROUTES = [
    Route("/", show),
    Route("/users/{id}", show),
    Route("/users/{id:int}/orders/{order}", show),
    Route("/files/{path:path}", show),
    Mount("/admin/{team}", routes=[Route("/jobs/{job}", show)]),
    Route("/boom", boom),
    Route("/teapot", teapot),
    Route("/down", down),
]


@pytest.fixture
def monitor() -> PerformanceMonitor:
    return PerformanceMonitor()


def spans(monitor: PerformanceMonitor) -> list[Span]:
    return [span for trace in monitor.traces() for span in trace.spans]


def ask(
    monitor: PerformanceMonitor, paths: Iterable[str], *, app: Any = None, **options: Any
) -> None:
    """Send requests to the application behind the middleware."""
    served = TracingMiddleware(app or Starlette(routes=ROUTES), monitor=monitor)

    async def main() -> None:
        inner = httpx.ASGITransport(served, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=inner, base_url="http://shop") as client:
            for path in paths:
                await client.request(
                    options.get("method", "GET"), path, headers=options.get("headers")
                )

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "GET /"),
        ("/users/17", "GET /users/{id}"),
        ("/users/17/orders/x-1", "GET /users/{id:int}/orders/{order}"),
        ("/users/users", "GET /users/{id}"),
        ("/files/a/b/c.txt", "GET /files/{path:path}"),
        ("/admin/red/jobs/9", "GET /admin/{team}/jobs/{job}"),
        ("/nowhere/17", "GET"),
        ("/users/007/orders/1", "GET /users/{id:int}/orders/{order}"),
    ],
)
def test_a_span_is_named_by_the_route(monitor: PerformanceMonitor, path: str, name: str) -> None:
    ask(monitor, [path])
    (span,) = spans(monitor)
    assert (span.name, span.kind) == (name, "server")
    assert span.tags is not None
    assert span.tags["url.path"] == path


def test_the_route_that_fastapi_tells_is_used(monitor: PerformanceMonitor) -> None:
    class Matched:
        path = "/items/{item_id}"

    async def app(scope: Any, _: Any, send: Any) -> None:
        scope["route"] = Matched()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    ask(monitor, ["/items/3"], app=app)
    (span,) = spans(monitor)
    assert span.name == "GET /items/{item_id}"
    assert span.tags is not None
    assert span.tags["http.response.status_code"] == 204


@pytest.mark.parametrize(
    ("path", "values", "name"),
    [
        ("/a/7/b/7", {"x": 7, "y": 7}, "GET /a/{y}/b/{x}"),
        ("/a/007", {"x": 7}, "GET"),
        ("/a", {}, "GET /a"),
    ],
)
def test_a_framework_that_only_tells_the_values_is_understood(
    monitor: PerformanceMonitor, path: str, values: dict[str, Any], name: str
) -> None:
    async def app(scope: Any, _: Any, send: Any) -> None:
        scope |= {"endpoint": app, "path_params": values}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    ask(monitor, [path], app=app)
    assert [span.name for span in spans(monitor)] == [name]


def test_a_request_joins_its_callers_trace(monitor: PerformanceMonitor) -> None:
    ask(monitor, ["/"], headers={"traceparent": PARENT, "tracestate": "a=1"})
    (span,) = spans(monitor)
    assert f"00-{span.trace_id_hex}-{span.parent_id:016x}-01" == PARENT
    assert span.trace_state == "a=1"


def test_a_bad_traceparent_begins_a_new_trace(monitor: PerformanceMonitor) -> None:
    ask(monitor, ["/"], headers={"traceparent": "00-" + "0" * 32 + "-" + "0" * 16 + "-01"})
    (span,) = spans(monitor)
    assert span.trace_id
    assert span.parent_id == 0


@pytest.mark.parametrize(
    ("path", "error"), [("/teapot", None), ("/down", "HTTP 503"), ("/boom", "ValueError: boom")]
)
def test_failures_of_the_server_fail_the_span(
    monitor: PerformanceMonitor, path: str, error: str | None
) -> None:
    ask(monitor, [path])
    (span,) = spans(monitor)
    assert span.error == error
    assert span.name == f"GET {path}"


def test_made_up_methods_are_one_operation(monitor: PerformanceMonitor) -> None:
    ask(monitor, ["/nowhere"], method="HACK1")
    ask(monitor, ["/nowhere"], method="HACK2")
    assert {span.name for span in spans(monitor)} == {"_OTHER"}


def test_two_services_share_a_trace() -> None:
    caller, called = PerformanceMonitor(), PerformanceMonitor()
    app = TracingMiddleware(Starlette(routes=ROUTES), monitor=called)

    async def main() -> None:
        inner = httpx.ASGITransport(app)
        transport = httpx_async_transport(inner, monitor=caller)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            await client.get("/users/17")

    asyncio.run(main())
    (asked,), (served,) = spans(caller), spans(called)
    assert (served.trace_id, served.parent_id) == (asked.trace_id, asked.span_id)


def test_what_is_no_request_passes_by(monitor: PerformanceMonitor) -> None:
    kinds = []

    async def app(scope: Any, _: Any, __: Any) -> None:
        kinds.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        return None

    asyncio.run(TracingMiddleware(app, monitor=monitor)({"type": "lifespan"}, nothing, nothing))
    assert kinds == ["lifespan"]
    assert spans(monitor) == []


def test_a_disabled_monitor_serves_all_the_same() -> None:
    off = PerformanceMonitor(enabled=False)
    ask(off, ["/users/1", "/users/2", "/boom"])
    assert off.current() is None
    assert off.traces() == []
