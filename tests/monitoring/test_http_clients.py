"""Calls to other services as spans, with transports that answer by themselves."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import httpx
import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from perfwright.monitoring.http_clients import (
    httpx_async_transport,
    httpx_transport,
    requests_adapter,
)
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.propagation import extract
from perfwright.monitoring.spans import Span

URL = "https://user:secret@api.example/users/17?token=secret"


@pytest.fixture
def monitor() -> PerformanceMonitor:
    return PerformanceMonitor()


def spans(monitor: PerformanceMonitor) -> list[Span]:
    return [span for trace in monitor.traces() for span in trace.spans]


def answering(status: int = 200) -> Any:
    """Return a handler that answers with the headers it got."""

    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=dict(request.headers))

    return handle


def failing(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def assert_joined(monitor: PerformanceMonitor, headers: dict[str, str]) -> None:
    """The span that was made is the one whose part the request says to be."""
    (span,) = spans(monitor)
    context = extract(headers)
    assert context is not None
    assert (context.trace_id, context.span_id) == (span.trace_id, span.span_id)
    assert (span.name, span.kind) == ("GET api.example", "client")
    assert span.tags == {
        "http.request.method": "GET",
        "server.address": "api.example",
        "url.full": "https://api.example/users/17",
        "http.response.status_code": 200,
    }
    assert span.error is None


def test_a_request_of_httpx_is_a_span(monitor: PerformanceMonitor) -> None:
    inner = httpx.MockTransport(answering())
    with httpx.Client(transport=httpx_transport(inner, monitor=monitor)) as client:
        headers = client.get(URL).json()
    assert_joined(monitor, headers)


def test_a_request_of_async_httpx_is_a_span(monitor: PerformanceMonitor) -> None:
    async def main() -> Any:
        inner = httpx.MockTransport(answering())
        async with httpx.AsyncClient(
            transport=httpx_async_transport(inner, monitor=monitor)
        ) as client:
            return (await client.get(URL)).json()

    assert_joined(monitor, asyncio.run(main()))


class Echo(BaseAdapter):
    """Answers with the headers it got."""

    def __init__(self, status: int = 200) -> None:
        super().__init__()
        self.status, self.closed = status, False
        self.seen: dict[str, str] = {}

    def send(self, request: Any, *_: Any, **__: Any) -> requests.Response:
        self.seen = dict(request.headers)
        response = requests.Response()
        response.status_code, response.request, response.url = self.status, request, request.url
        return response

    def close(self) -> None:
        self.closed = True


def test_a_request_of_requests_is_a_span(monitor: PerformanceMonitor) -> None:
    inner = Echo()
    with requests.Session() as session:
        session.mount("https://", requests_adapter(inner, monitor=monitor))
        session.get(URL)
    assert_joined(monitor, inner.seen)
    assert inner.closed


@pytest.mark.parametrize("status", [404, 500])
def test_a_status_of_failure_fails_the_span(monitor: PerformanceMonitor, status: int) -> None:
    inner = httpx.MockTransport(answering(status))
    with httpx.Client(transport=httpx_transport(inner, monitor=monitor)) as client:
        client.get(URL)
    (span,) = spans(monitor)
    assert span.error == f"HTTP {status}"


def test_an_error_of_the_network_fails_the_span(monitor: PerformanceMonitor) -> None:
    inner = httpx.MockTransport(failing)
    client = httpx.Client(transport=httpx_transport(inner, monitor=monitor))
    with client, pytest.raises(httpx.ConnectError):
        client.get(URL)
    (span,) = spans(monitor)
    assert span.error == "ConnectError: refused"
    assert monitor.current() is None


def test_a_call_is_a_part_of_the_span_around_it(monitor: PerformanceMonitor) -> None:
    inner = httpx.MockTransport(answering())
    client = httpx.Client(transport=httpx_transport(inner, monitor=monitor))
    with client, monitor.span("load") as load:
        client.get(URL)
        assert monitor.current() is load
    (trace,) = monitor.traces()
    assert [span.name for span in trace.spans] == ["load", "GET api.example"]
    assert trace.spans[1].parent_id == load.span_id


def test_a_disabled_monitor_leaves_requests_as_they_are() -> None:
    inner = httpx.MockTransport(answering())
    off = PerformanceMonitor(enabled=False)
    with httpx.Client(transport=httpx_transport(inner, monitor=off)) as client:
        assert "traceparent" not in client.get(URL).json()


def test_a_session_with_our_adapter_can_be_pickled() -> None:
    session = requests.Session()
    session.mount("https://", requests_adapter(HTTPAdapter(pool_maxsize=3)))
    again = pickle.loads(pickle.dumps(session))
    assert type(again.adapters["https://"]).__name__ == "Traced"
