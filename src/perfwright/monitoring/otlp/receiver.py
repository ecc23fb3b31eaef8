"""A server that takes OTLP over HTTP, so that services in any language feed the same monitor."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from perfwright.core import Clock, ConfigError, SystemClock, is_loopback, is_number
from perfwright.monitoring.exposition import CONTENT_TYPE, prometheus_text
from perfwright.monitoring.metrics import Metric
from perfwright.monitoring.otlp.addresses import DEFAULT_PORT
from perfwright.monitoring.otlp.intake import Answer, Body, Intake, refusal
from perfwright.monitoring.otlp.serving import ServedReceiver
from perfwright.monitoring.otlp.writing import CONTENT_TYPES, Protocol, Signal

if TYPE_CHECKING:
    from aiohttp import web

    from perfwright.monitoring.monitor import PerformanceMonitor

logger = logging.getLogger("perfwright.otlp")
_http_logger = logging.getLogger("perfwright.otlp.http")
_http_logger.setLevel(logging.CRITICAL)  # of what is no HTTP the sender is told, nobody else
_SIGNALS: dict[str, Signal] = {"/v1/traces": "traces", "/v1/metrics": "metrics"}
_PROTOCOLS: dict[str, Protocol] = {
    "application/json": "json",
    "application/protobuf": "protobuf",
    "application/x-protobuf": "protobuf",
}
_INLINE_BYTES = 32_768
"""Longer bodies are read in a thread: 1 MB of spans takes 20 ms, for which a loop would stand."""
_IDLE_S = 75.0
END_S = 5.0
"""How long requests that have begun may take when it stops."""


class OtlpReceiver:
    """Listens for traces and metrics, in JSON and protobuf, packed with gzip or not.

    In an asyncio program `async with OtlpReceiver(monitor):` serves on the running loop; in any
    other one `with OtlpReceiver(monitor).serve_in_thread():` does from a thread.

    Args:
        monitor: Gets the spans, under `SERVICE/NAME`, and gauges.
        host: Where it listens. Beyond this machine a token is needed.
        port: 0 takes a free one.
        token: What senders must send as `Authorization: Bearer TOKEN`.
        max_body_bytes: Of one request, also when it is unpacked; a larger one is refused.
        max_in_flight: Requests at once; more are refused with 503, which senders repeat.
        body_timeout_s: How long a sender may take for its body.
        max_series: Metrics with their labels that are kept; more are rejected.
        clock: The monitor's.

    Raises:
        ConfigError: If it would listen beyond this machine without a token, or a number is wrong.
        TypeError: If `monitor` is none.
    """

    def __init__(
        self,
        monitor: PerformanceMonitor,
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        token: str | None = None,
        max_body_bytes: int = 8 * 2**20,
        max_in_flight: int = 16,
        body_timeout_s: float = 30.0,
        max_series: int = 2_000,
        clock: Clock | None = None,
    ) -> None:
        _check(max_body_bytes=max_body_bytes, max_in_flight=max_in_flight, max_series=max_series)
        if not callable(getattr(monitor, "ingest", None)):
            raise TypeError(f"a receiver feeds a monitor, not {type(monitor).__name__}")
        if type(port) is not int or not 0 <= port <= 65_535:
            problem = "must be a whole number from 0 to 65535"
            raise ConfigError(field="port", value=port, problem=problem)
        if not is_number(body_timeout_s) or not 0 < body_timeout_s < float("inf"):
            problem = "must be above 0 s, finite"
            raise ConfigError(field="body_timeout_s", value=body_timeout_s, problem=problem)
        if not token and not is_loopback(host):
            problem = "can be reached from other machines: give a token, or listen on 127.0.0.1"
            raise ConfigError(field="host", value=host, problem=problem)
        self._host, self._port, self._token = host, port, token
        self._max_body_bytes, self._max_in_flight = max_body_bytes, max_in_flight
        self._body_timeout_s = body_timeout_s
        self._monitor = monitor
        self._intake = Intake(
            monitor,
            clock=clock or SystemClock(),
            max_body_bytes=max_body_bytes,
            max_series=max_series,
        )
        self._in_flight = self._busy = 0
        self._turn = asyncio.Lock()
        self._handlers: web.Server | None = None
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens; the one that was taken, if any free one was asked for."""
        return self._port

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: If the address cannot be had.
        """
        from aiohttp import web

        if self._server is not None:
            raise ConfigError(field="receiver", value=self._port, problem="is serving already")
        self._turn = asyncio.Lock()  # of this loop
        # Unpacking is ours: it must stop at max_body_bytes, not after the whole body.
        self._handlers = web.Server(
            self._handle,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=_IDLE_S,
            logger=_http_logger,
        )
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._handlers, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, answer what has begun for up to 5 s, and close."""
        server, self._server = self._server, None
        if server is None or self._handlers is None:
            return
        server.close()
        self._handlers.pre_shutdown()  # ends connections that are kept open but idle
        await self._handlers.shutdown(END_S)
        await server.wait_closed()

    def serve_in_thread(self) -> ServedReceiver:
        """Serve from a thread of its own, for programs without a loop; returns when it listens.

        Raises:
            OSError: If the address cannot be had.
        """
        return ServedReceiver(self)

    def get_stats(self) -> dict[str, Any]:
        """Return how many spans and points came, were repeated, refused and rejected, and why."""
        return self._intake.stats() | {"busy": self._busy}

    def metrics(self) -> Iterator[Metric]:
        """Yield the last metrics of other services, with the label `service`, and own counts."""
        stats = self._intake.stats()
        for name in ("spans", "points", "refused"):
            yield Metric(
                name=f"otlp_received_{name}",
                kind="counter",
                value=stats[name],
                help=f"OTLP requests that were {name}." if name == "refused" else f"OTLP {name}.",
            )
        for reason, count in stats["rejected"].items():
            yield Metric(
                name="otlp_received_rejected",
                kind="counter",
                value=count,
                help="Spans and points that could not be taken.",
                labels={"reason": reason},
            )
        yield from self._intake.metrics()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/metrics" and request.method == "GET":
            return self._page(request)
        if self._in_flight >= self._max_in_flight:
            self._busy += 1
            return _response(_busy(), "json", **{"Retry-After": "1"})
        self._in_flight += 1
        protocol = _PROTOCOLS.get(_content_type(request), "json")
        try:
            read = await self._read(request)
            answer = await self._take(read) if isinstance(read, Body) else read
        except Exception:  # a defect costs one request, not the server
            logger.exception("an OTLP request failed inside the receiver")
            answer = refusal(500, "internal error; the receiver's log has more", protocol=protocol)
        finally:
            self._in_flight -= 1
        return _response(answer, protocol)

    def _page(self, request: web.BaseRequest) -> web.Response:
        """Show what the monitor and all senders have measured, for Prometheus to scrape."""
        from aiohttp import web

        if (problem := self._stranger(request)) is not None:
            return _response(refusal(*problem, protocol="json"), "json")
        text = prometheus_text([*self._monitor.metrics(), *self.metrics()])
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    async def _take(self, body: Body) -> Answer:
        async with self._turn:  # one at a time: bounds memory, and the threads that are taken
            if len(body.raw) <= _INLINE_BYTES and not body.gzipped:
                return self._intake.take(body)
            return await asyncio.to_thread(self._intake.take, body)

    async def _read(self, request: web.BaseRequest) -> Body | Answer:
        """Return a request's body, or why it is not taken."""
        kind = _content_type(request)
        protocol = _PROTOCOLS.get(kind)
        packing = request.headers.get("Content-Encoding", "identity").strip().lower()
        signal = _SIGNALS.get(request.path)
        if signal is None:
            text = f"nothing is at {request.path[:100]!r}; send to /v1/traces or /v1/metrics"
            return refusal(404, text, protocol=protocol or "json")
        if request.method != "POST":
            return refusal(405, "send it as POST", protocol=protocol or "json")
        if (problem := self._stranger(request)) is not None:
            return refusal(*problem, protocol=protocol or "json")
        if protocol is None:
            text = f"Content-Type {kind[:100]!r}; send {' or '.join(CONTENT_TYPES.values())}"
            return refusal(415, text, protocol="json")
        if packing not in ("gzip", "identity", ""):
            text = f"Content-Encoding {packing[:100]!r}; send gzip, or none"
            return refusal(415, text, protocol=protocol)
        return await self._read_body(
            request, signal=signal, protocol=protocol, gzip=packing == "gzip"
        )

    async def _read_body(
        self, request: web.BaseRequest, *, signal: Signal, protocol: Protocol, gzip: bool
    ) -> Body | Answer:
        from aiohttp.web_protocol import RequestPayloadError

        try:
            async with asyncio.timeout(self._body_timeout_s):
                raw = await self._bounded(request)
        except TimeoutError:
            text = f"the body did not come within {self._body_timeout_s:g} s"
            return refusal(408, text, protocol=protocol)
        except (RequestPayloadError, ConnectionError) as error:
            return refusal(400, f"the body is not what its headers say: {error}", protocol=protocol)
        if raw is None:
            text = f"the body is longer than {self._max_body_bytes:,} bytes; send smaller batches"
            return refusal(413, text, protocol=protocol)
        return Body(raw=raw, signal=signal, protocol=protocol, gzipped=gzip)

    async def _bounded(self, request: web.BaseRequest) -> bytes | None:
        """Return the body; None if it is too long."""
        if (request.content_length or 0) > self._max_body_bytes:
            return None
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # it counts as no part of the answer
        raw = bytearray()
        async for part in request.content.iter_any():
            raw += part
            if len(raw) > self._max_body_bytes:
                return None
        return bytes(raw)

    def _stranger(self, request: web.BaseRequest) -> tuple[int, str] | None:
        """Say why a sender may not send."""
        if self._token:
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            sent = given.strip().encode("utf-8", "surrogateescape")  # as aiohttp reads headers
            known = hmac.compare_digest(sent, self._token.encode())
            if scheme.lower() != "bearer" or not known:
                return 401, "no valid token; send it as Authorization: Bearer TOKEN"
            return None
        origin = request.headers.get("Origin")
        if origin is not None and not is_loopback(urlsplit(origin).hostname or "-"):
            return 403, "a web page may not send to a receiver without a token"
        return None


def _content_type(request: web.BaseRequest) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _response(answer: Answer, protocol: Protocol, **headers: str) -> web.Response:
    from aiohttp import web

    kind = {"Content-Type": CONTENT_TYPES[protocol], "Server": "perfwright"}
    return web.Response(body=answer.body, status=answer.status, headers=kind | headers)


def _busy() -> Answer:
    return refusal(503, "as many requests as may be are being read; send it again", protocol="json")


def _check(**counts: int) -> None:
    for name, count in counts.items():
        if type(count) is not int or count < 1:
            raise ConfigError(field=name, value=count, problem="must be a whole number from 1")
