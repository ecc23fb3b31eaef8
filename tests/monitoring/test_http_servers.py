"""Requests to an ASGI application as spans, without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from perfwright.core import ManualClock
from perfwright.monitoring.http_clients import httpx_async_transport
from perfwright.monitoring.http_servers import TracingMiddleware, aiohttp_middleware
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


def test_work_after_the_answer_takes_no_time_of_it_but_is_of_its_trace() -> None:
    clock = ManualClock()
    monitor = PerformanceMonitor(clock=clock)

    async def later() -> None:
        assert "GET /" in monitor.operations()  # it has ended already
        with monitor.span("mail"):
            clock.now_s += 60.0

    async def answer(_: Request) -> PlainTextResponse:
        clock.now_s += 1.0
        return PlainTextResponse("x", background=BackgroundTask(later))

    ask(monitor, ["/"], app=Starlette(routes=[Route("/", answer)]))
    served, mail = sorted(spans(monitor), key=lambda span: span.start_s)
    assert (served.name, served.seconds) == ("GET /", 1.0)
    assert (mail.name, mail.trace_id, mail.parent_id) == ("mail", served.trace_id, served.span_id)
    assert monitor.get_stats()["misuse"] == {}
    assert monitor.current() is None


def test_a_stream_lasts_until_its_last_part() -> None:
    clock = ManualClock()
    monitor = PerformanceMonitor(clock=clock)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            clock.now_s += 1.0
            with monitor.span("part"):
                yield b"x"

    async def answer(_: Request) -> StreamingResponse:
        return StreamingResponse(parts())

    ask(monitor, ["/"], app=Starlette(routes=[Route("/", answer)]))
    (served,) = [span for span in spans(monitor) if span.name == "GET /"]
    assert served.seconds == 3.0
    assert {span.trace_id for span in spans(monitor)} == {served.trace_id}


def test_an_answer_from_another_task_ends_the_span_all_the_same(
    monitor: PerformanceMonitor,
) -> None:
    async def pass_on(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    app = Starlette(routes=ROUTES)
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    ask(monitor, ["/users/7", "/boom"], app=app)
    served, failed = spans(monitor)
    assert (served.name, served.error) == ("GET /users/{id}", None)
    assert failed.error == "ValueError: boom"
    counted = monitor.get_stats()
    assert (counted["misuse"], counted["spans"]["open"]) == ({}, 0)


def test_a_middleware_of_the_application_knows_the_status_of_what_was_raised(
    monitor: PerformanceMonitor,
) -> None:
    app = Starlette(routes=ROUTES)
    app.add_middleware(TracingMiddleware, monitor=monitor)

    async def main() -> None:
        inner = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=inner, base_url="http://shop") as client:
            assert (await client.get("/boom")).status_code == 500

    asyncio.run(main())
    (span,) = spans(monitor)
    assert span.error == "ValueError: boom"
    assert span.tags is not None
    assert span.tags["http.response.status_code"] == 500


def test_a_cancelled_request_is_no_failure(monitor: PerformanceMonitor) -> None:
    async def app(_: Any, __: Any, ___: Any) -> None:
        raise asyncio.CancelledError

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}

    async def nothing(*_: Any) -> Any:
        return None

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(TracingMiddleware(app, monitor=monitor)(scope, nothing, nothing))
    (span,) = spans(monitor)
    assert (span.error, span.tags) == (
        None,
        {"http.request.method": "GET", "url.path": "/", "interrupted": "CancelledError"},
    )


def test_lines_of_tracestate_are_joined_and_two_traceparents_say_nothing(
    monitor: PerformanceMonitor,
) -> None:
    other = PARENT.replace("0af7", "1af7")
    lines = [("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")]
    ask(monitor, ["/"], headers=lines)
    ask(monitor, ["/"], headers=[("traceparent", PARENT), ("traceparent", other)])
    joined, own = spans(monitor)
    assert (joined.trace_state, joined.trace_id_hex) == ("a=1,b=2", PARENT[3:35])
    assert own.trace_id_hex not in (PARENT[3:35], other[3:35])


def test_a_span_of_aiohttp_covers_requests_not_conversations(monitor: PerformanceMonitor) -> None:
    async def show_user(_: web.Request) -> web.Response:
        return web.Response(text="x")

    async def fail(_: web.Request) -> web.Response:
        raise ValueError("boom")

    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            with monitor.span("message"):
                await socket.send_str(message.data)
        return socket

    async def main() -> None:
        app = web.Application(middlewares=[aiohttp_middleware(monitor=monitor)])
        app.router.add_get("/users/{id}", show_user)
        app.router.add_get("/fail", fail)
        app.router.add_get("/talk", talk)
        lines = [("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")]
        async with TestClient(TestServer(app)) as client:
            await (await client.get("/users/7", headers=lines)).read()
            await (await client.get("/fail")).read()
            async with client.ws_connect("/talk") as socket:
                await socket.send_str("x")
                await socket.receive_str()

    asyncio.run(main())
    made = {span.name: span for span in spans(monitor)}
    assert set(made) == {"GET /users/{id}", "GET /fail", "message"}
    assert made["GET /users/{id}"].trace_state == "a=1,b=2"
    failed = made["GET /fail"]
    assert failed.tags is not None
    assert (failed.error, failed.tags["http.response.status_code"]) == ("ValueError: boom", 500)
    assert made["message"].parent_id == 0
