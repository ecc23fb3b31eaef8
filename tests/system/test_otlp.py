"""OTLP over real sockets: our sender to our receiver, and requests that mean no good."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import os
import socket
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from perfwright.core import ConfigError
from perfwright.monitoring.http_clients import aiohttp_trace_config
from perfwright.monitoring.http_servers import aiohttp_middleware
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.otlp import OtlpExporter, OtlpReceiver, ServedReceiver, encode_spans
from perfwright.monitoring.otlp.writing import Protocol
from perfwright.monitoring.spans import Span

PATIENCE_S = 20.0
JSON = "application/json"


@pytest.fixture
def monitor() -> PerformanceMonitor:
    return PerformanceMonitor(resource={"service.name": "watcher"})


@pytest.fixture
def served(monitor: PerformanceMonitor) -> Iterator[ServedReceiver]:
    with OtlpReceiver(
        monitor, port=0, max_body_bytes=200_000, body_timeout_s=1.0
    ).serve_in_thread() as served:
        yield served


def a_body(monitor: PerformanceMonitor, *, count: int = 1) -> bytes:
    """Return spans that ended just now."""
    now_s = monitor.now()
    spans = [
        Span("load", trace_id=n + 1, span_id=n + 1, start_s=now_s - 1, end_s=now_s - 0.5)
        for n in range(count)
    ]
    return encode_spans(spans, wall_s=monitor.wall_s)


def post(port: int, raw: bytes | Iterator[bytes], **options: Any) -> tuple[int, bytes, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    headers = {"Content-Type": JSON} | options.get("headers", {})
    connection.request(
        options.get("method", "POST"), options.get("path", "/v1/traces"), body=raw, headers=headers
    )
    answer = connection.getresponse()
    result = answer.status, answer.read(), answer.headers
    connection.close()
    return result


@pytest.mark.parametrize("protocol", ["json", "protobuf"])
def test_what_one_process_measures_another_one_sees(
    monitor: PerformanceMonitor, served: ServedReceiver, protocol: Protocol
) -> None:
    shop = PerformanceMonitor(resource={"service.name": "shop"})
    shop.add_exporter(
        OtlpExporter(f"http://127.0.0.1:{served.port}", protocol=protocol, sources=[shop])
    )
    for _ in range(700):
        with shop.span("GET /") as span:
            span.add_tag("user", 17)
            with shop.span("SELECT"):
                pass
    shop.close(PATIENCE_S)
    latencies = monitor.get_stats()["latencies"]
    assert {name: each["count"] for name, each in latencies.items()} == {
        "shop/GET /": 700,
        "shop/SELECT": 700,
    }
    assert len(monitor.traces()) == 700
    assert monitor.traces()[0].complete
    shown = {metric.name: metric.labels for metric in served.receiver.metrics()}
    assert shown["perfwright_operation_duration"]["service"] == "shop"


def test_prometheus_finds_what_all_senders_measure(
    monitor: PerformanceMonitor, served: ServedReceiver
) -> None:
    post(served.port, a_body(monitor, count=3))
    status, page, headers = post(served.port, b"", method="GET", path="/metrics")
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
    assert b"perfwright_operation_duration_seconds_count{" in page


def test_a_page_needs_the_token_too(monitor: PerformanceMonitor) -> None:
    with OtlpReceiver(monitor, port=0, token="secret").serve_in_thread() as served:
        assert post(served.port, b"", method="GET", path="/metrics")[0] == 401


def test_it_serves_on_a_running_loop(monitor: PerformanceMonitor) -> None:
    async def main() -> int:
        async with OtlpReceiver(monitor, port=0) as receiver, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{receiver.port}/v1/traces"
            raw = gzip.compress(a_body(monitor, count=100))
            headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
            async with session.post(url, data=raw, headers=headers) as answer:
                return answer.status

    assert asyncio.run(main()) == 200
    assert monitor.get_stats()["spans"]["ingested"] == 100


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        ({"path": "/"}, 404, "send to /v1/traces"),
        ({"path": "/v1/logs"}, 404, "/v1/logs"),
        ({"path": "/%ff%ed%a0%80"}, 404, "nothing is at"),
        ({"method": "GET"}, 405, "POST"),
        ({"headers": {"Content-Type": "text/plain"}}, 415, "application/json"),
        ({"headers": {"Content-Type": ""}}, 415, "application/json"),
        ({"headers": {"Content-Encoding": "br"}}, 415, "gzip"),
        ({"headers": {"Content-Encoding": "gzip"}}, 400, "no gzip"),
        ({"headers": {"Origin": "https://evil.example"}}, 403, "web page"),
        ({"headers": {"Origin": "null"}}, 403, "web page"),
    ],
)
def test_a_request_that_is_wrong_is_told_how(
    monitor: PerformanceMonitor,
    served: ServedReceiver,
    options: dict[str, Any],
    status: int,
    says: str,
) -> None:
    found, raw, _ = post(served.port, a_body(monitor), **options)
    assert (found, says in json.loads(raw)["message"]) == (status, True)
    assert monitor.get_stats()["spans"]["ingested"] == 0


def test_a_page_of_this_machine_may_send(
    monitor: PerformanceMonitor, served: ServedReceiver
) -> None:
    headers = {"Origin": "http://localhost:3000", "Content-Type": "application/json; charset=utf-8"}
    assert post(served.port, a_body(monitor), headers=headers)[0] == 200


def test_a_body_that_is_too_long_is_refused(served: ServedReceiver) -> None:
    assert post(served.port, b" " * 200_001)[0] == 413


def test_a_body_without_a_length_that_is_too_long_is_refused(served: ServedReceiver) -> None:
    assert post(served.port, iter([b" " * 50_000] * 5))[0] == 413


def test_a_bomb_is_refused(served: ServedReceiver) -> None:
    bomb = gzip.compress(bytes(50 * 2**20), 9)
    status, raw, _ = post(served.port, bomb, headers={"Content-Encoding": "gzip"})
    assert status == 413
    assert "200,000 bytes" in json.loads(raw)["message"]


def test_a_body_that_never_ends_is_given_up(served: ServedReceiver) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE_S) as connection:
        connection.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


def test_a_sender_that_leaves_does_no_harm(
    monitor: PerformanceMonitor, served: ServedReceiver
) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE_S) as connection:
        connection.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
    assert post(served.port, a_body(monitor))[0] == 200


def test_a_sender_that_asks_first_is_told_to_go_on(
    monitor: PerformanceMonitor, served: ServedReceiver
) -> None:
    raw = a_body(monitor)
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE_S) as connection:
        connection.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(raw)
        )
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(raw)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_too_many_at_once_are_sent_away_for_a_second(monitor: PerformanceMonitor) -> None:
    head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with OtlpReceiver(monitor, port=0, max_in_flight=2).serve_in_thread() as served:
        held = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(2)]
        for connection in held:
            connection.sendall(head + b"Content-Length: 100\r\n\r\n{")
        answers = (post(served.port, a_body(monitor)) for _ in range(500))
        # The first ones may come before the held ones are read.
        found = next((each for each in answers if each[0] == 503), None)
        for connection in held:
            connection.close()
    assert found is not None
    assert found[2]["Retry-After"] == "1"
    assert served.receiver.get_stats()["busy"] == 1


def test_beyond_this_machine_a_token_is_needed(monitor: PerformanceMonitor) -> None:
    with pytest.raises(ConfigError, match="token"):
        OtlpReceiver(monitor, host="0.0.0.0")
    with OtlpReceiver(monitor, host="0.0.0.0", port=0, token="s3cret").serve_in_thread() as served:
        statuses = [
            post(served.port, a_body(monitor), headers={"Authorization": given})[0]
            for given in ("", "Bearer wrong", "Basic s3cret", "Bearer \u00e9", "Bearer s3cret")
        ]
    assert statuses == [401, 401, 401, 401, 200]


def test_a_port_that_is_taken_is_said_at_once(
    monitor: PerformanceMonitor, served: ServedReceiver
) -> None:
    with pytest.raises(OSError, match="address already in use"):
        OtlpReceiver(monitor, port=served.port).serve_in_thread()


def test_a_receiver_that_was_closed_can_serve_again(monitor: PerformanceMonitor) -> None:
    receiver = OtlpReceiver(monitor, port=0)
    for _ in range(2):
        served = receiver.serve_in_thread()
        assert post(served.port, a_body(monitor))[0] == 200
        served.close()
        served.close()
    with pytest.raises(ConnectionRefusedError):
        post(receiver.port, b"")


def test_its_thread_ends_with_it(monitor: PerformanceMonitor) -> None:
    OtlpReceiver(monitor, port=0).serve_in_thread().close()
    assert "perfwright-otlp-receiver" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_sends_its_own_spans_only(
    monitor: PerformanceMonitor, served: ServedReceiver
) -> None:
    exporter = OtlpExporter(f"http://127.0.0.1:{served.port}", interval_s=1_000.0)
    now_s = monitor.now()
    exporter.export([Span("parent", trace_id=1, span_id=1, start_s=now_s - 1, end_s=now_s)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on: it has threads
        child = os.fork()
    if child == 0:
        exporter.export([Span("child", trace_id=2, span_id=2, start_s=now_s - 1, end_s=now_s)])
        exporter.close(PATIENCE_S)
        os._exit(0 if exporter.get_stats()["sent"] == 1 else 1)
    _, status = os.waitpid(child, 0)
    exporter.close(PATIENCE_S)
    assert os.waitstatus_to_exitcode(status) == 0
    assert sorted(monitor.operations()) == ["unknown_service/child", "unknown_service/parent"]
    assert monitor.get_stats()["spans"]["ingested"] == 2


def test_a_receiver_that_comes_back_gets_the_spans(monitor: PerformanceMonitor) -> None:
    receiver = OtlpReceiver(monitor, port=0)
    receiver.serve_in_thread().close()
    now_s = monitor.now()
    exporter = OtlpExporter(f"http://127.0.0.1:{receiver.port}", interval_s=0.01)
    exporter.export([Span("load", trace_id=1, span_id=1, start_s=now_s - 1, end_s=now_s)])
    with receiver.serve_in_thread():
        assert exporter.flush(PATIENCE_S)
    exporter.close()
    assert exporter.get_stats()["sent"] == 1
    assert monitor.get_stats()["spans"]["ingested"] == 1


def test_a_kept_connection_that_was_closed_is_no_failure(monitor: PerformanceMonitor) -> None:
    receiver = OtlpReceiver(monitor, port=0)
    now_s = monitor.now()
    spans = [Span("load", trace_id=n, span_id=n, start_s=now_s - 1, end_s=now_s) for n in (1, 2)]
    with receiver.serve_in_thread():
        exporter = OtlpExporter(f"http://127.0.0.1:{receiver.port}", max_tries=1)
        exporter.export(spans[:1])
        assert exporter.flush(PATIENCE_S)
    with receiver.serve_in_thread():
        exporter.export(spans[1:])
        assert exporter.flush(PATIENCE_S)
        exporter.close()
    assert exporter.get_stats()["sent"] == 2
    assert exporter.get_stats()["dropped"] == {}


def test_a_user_and_password_of_an_address_are_sent_as_such() -> None:
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, self.headers["Authorization"], self.headers["Api-Key"]))
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        endpoint = f"http://me:p%40ss@127.0.0.1:{server.server_port}/base/"
        with OtlpExporter(endpoint, headers={"api-key": "k"}) as exporter:
            exporter.export([Span("load", trace_id=1, span_id=1, start_s=0.0, end_s=1.0)])
            assert not exporter.flush(PATIENCE_S)  # a redirect is not followed
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == [("/base/v1/traces", "Basic bWU6cEBzcw==", "k")]
    assert exporter.get_stats()["dropped"] == {"http_302": 1}
    assert "p%40ss" not in exporter.get_stats()["endpoint"]


def test_aiohttp_joins_a_trace_on_both_sides() -> None:
    caller, called = PerformanceMonitor(), PerformanceMonitor()

    async def show(request: web.Request) -> web.Response:
        if request.match_info["id"] == "0":
            raise web.HTTPNotFound
        if request.match_info["id"] == "1":
            raise ValueError("boom")
        return web.Response(text="x")

    async def main() -> list[int]:
        app = web.Application(middlewares=[aiohttp_middleware(monitor=called)])
        app.router.add_get("/users/{id}", show)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        statuses = []
        config = aiohttp_trace_config(monitor=caller)
        async with aiohttp.ClientSession(trace_configs=[config]) as session:
            for path in ("/users/17", "/users/0", "/users/1", "/nowhere"):
                with caller.span("step"):
                    async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                        statuses.append(answer.status)
            with caller.span("refused"), pytest.raises(aiohttp.ClientError):
                await session.get("http://127.0.0.1:1/")
        await runner.cleanup()
        assert caller.current() is None
        return statuses

    assert asyncio.run(main()) == [200, 404, 500, 404]
    asked = [trace.spans for trace in sorted(caller.traces(), key=lambda trace: trace.start_s)]
    served = {span.parent_id: span for trace in called.traces() for span in trace.spans}
    assert [spans[1].error for spans in asked][:4] == [None, "HTTP 404", "HTTP 500", "HTTP 404"]
    assert str(asked[4][1].error).startswith("ClientConnectorError")
    seen = [served[spans[1].span_id] for spans in asked[:4]]
    assert [span.name for span in seen] == ["GET /users/{id}"] * 3 + ["GET"]
    assert [span.error for span in seen] == [None, None, "ValueError: boom", None]
    assert all(span.trace_id == spans[0].trace_id for span, spans in zip(seen, asked, strict=False))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"port": 70_000}, "port"),
        ({"body_timeout_s": 0.0}, "body_timeout_s"),
        ({"max_body_bytes": 0}, "max_body_bytes"),
        ({"max_in_flight": True}, "max_in_flight"),
        ({"max_series": 1.5}, "max_series"),
        ({"host": ""}, "host"),
        ({"host": "::", "token": ""}, "host"),
    ],
)
def test_a_receiver_that_makes_no_sense_is_refused(
    monitor: PerformanceMonitor, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        OtlpReceiver(monitor, **given)
    assert raised.value.field == field


def test_a_receiver_serves_once_at_a_time(
    monitor: PerformanceMonitor, served: ServedReceiver
) -> None:
    with pytest.raises(ConfigError, match="is serving already"):
        served.receiver.serve_in_thread()
    assert post(served.port, a_body(monitor))[0] == 200


def test_a_defect_costs_one_request(
    monitor: PerformanceMonitor,
    served: ServedReceiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    raw = a_body(monitor)
    with monkeypatch.context() as broken:
        broken.setattr(monitor, "wall_s", None)
        status, answer, _ = post(served.port, raw)
    assert (status, b"internal error" in answer) == (500, True)
    assert "failed inside the receiver" in caplog.text
    assert post(served.port, raw)[0] == 200
