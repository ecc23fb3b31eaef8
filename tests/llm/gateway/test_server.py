"""Callers that are slow, broken or hostile; and an end that loses nothing."""

from __future__ import annotations

import asyncio
import gzip

import msgspec
import pytest

from tests.limits.loops import in_loop
from tests.llm.gateway.fakes import HELLO, RAW, FakeRuntime, FakeStream, gateway, pieces, until

BODY = msgspec.json.encode(HELLO)
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


# Broken


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + b"".join(b"X%d: 1\r\n" % n for n in range(500)) + b"\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        HEAD + b"Content-Length: -5\r\n\r\nhello",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
@in_loop
async def test_what_is_no_http_is_refused_as_json_and_ends_the_connection(sent: bytes) -> None:
    async with gateway() as served:
        answer = await served.raw(sent)
        assert (await served.post())[0] == 200  # and the next caller is served
    assert b" 400 " in answer.splitlines()[0]
    assert msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "bad_http"
    assert len(served.runtime.asked) == 1


@in_loop
async def test_chunks_that_are_none_are_refused() -> None:
    async with gateway() as served:
        answer = await served.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n")
    assert b" 400 " in answer.splitlines()[0]
    assert served.runtime.asked == []


@in_loop
async def test_requests_in_a_row_on_one_connection_are_answered_in_their_order() -> None:
    other = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    async with gateway() as served:
        answer = await served.raw(WHOLE * 20 + other)
    assert answer.count(RAW) == 20
    assert b'"object":"list"' in answer.rpartition(b"\r\n\r\n")[2]


@in_loop
async def test_a_body_in_chunks_is_read() -> None:
    chunks = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n"
    sent = chunks % (5, BODY[:5], len(BODY) - 5, BODY[5:])
    close = b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    async with gateway() as served:
        answer = await served.raw(HEAD + close, sent, pause_s=0.05)
    assert answer.endswith(RAW)
    assert served.runtime.asked[0].raw == BODY


@in_loop
async def test_a_compressed_body_is_read() -> None:
    async with gateway() as served:
        status, _, _ = await served.post(body=gzip.compress(BODY), Content_Encoding="gzip")
    assert (status, served.runtime.asked[0].raw) == (200, BODY)


@in_loop
async def test_a_small_body_that_unpacks_to_a_huge_one_is_refused() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    async with gateway(max_body_bytes=1_000_000) as served:
        assert await served.error(body=bomb, Content_Encoding="gzip") == (413, "request_too_large")


@in_loop
async def test_a_body_that_is_not_compressed_as_it_says_is_refused() -> None:
    async with gateway() as served:
        assert (await served.post(body=BODY, Content_Encoding="gzip"))[0] == 400


@in_loop
async def test_a_long_body_is_refused_before_it_is_sent() -> None:
    async with gateway(max_body_bytes=1_000) as served:
        answer = await served.raw(HEAD + b"Content-Length: 1001\r\n\r\n", ends=b"}}")
    assert answer.startswith(b"HTTP/1.1 413 ")


@in_loop
async def test_a_long_body_in_chunks_is_refused() -> None:
    async with gateway(max_body_bytes=1_000) as served:
        answer = await served.raw(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"100\r\n" + b"a" * 256 + b"\r\n",
            *[b"100\r\n" + b"a" * 256 + b"\r\n"] * 5,
            ends=b"}}",
        )
    assert answer.startswith(b"HTTP/1.1 413 ")


@in_loop
async def test_a_caller_that_waits_to_be_asked_for_its_body_is_asked() -> None:
    async with gateway() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(BODY)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert await reader.readexactly(len(RAW)) == RAW
        writer.close()


# Slow and gone


@in_loop
async def test_headers_that_never_end_end_the_connection() -> None:
    async with gateway(header_timeout_s=0.2) as served:
        answer = await served.raw(HEAD, *[b"X: 1\r\n"] * 3, pause_s=0.05)
        assert (answer, served.gateway.counts.slow_connections) == (b"", 1)


@in_loop
async def test_a_body_that_never_ends_is_refused() -> None:
    async with gateway(body_timeout_s=0.1) as served:
        answer = await served.raw(HEAD + b"Content-Length: 100\r\n\r\n{", ends=b"}}")
    assert answer.startswith(b"HTTP/1.1 408 ")


@in_loop
async def test_an_idle_connection_is_closed() -> None:
    async with gateway(idle_timeout_s=0.2) as served:
        assert await served.raw() == b""


@in_loop
async def test_a_caller_that_leaves_has_its_call_cancelled() -> None:
    runtime = FakeRuntime(gate=asyncio.Event())
    async with gateway(runtime) as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(WHOLE)
        await until(lambda: runtime.under_way == 1)
        writer.close()
        await until(lambda: runtime.cancelled == 1)
        await until(lambda: served.gateway.counts.in_flight == 0)
        assert served.gateway.counts.disconnected == 1


@in_loop
async def test_a_caller_that_leaves_in_its_body_asks_nothing() -> None:
    async with gateway() as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
        await until(lambda: served.gateway.counts.in_flight == 1)
        writer.close()
        await until(lambda: served.gateway.counts.in_flight == 0)
    assert served.runtime.asked == []


# Many


@in_loop
async def test_callers_beyond_the_places_wait_and_are_served() -> None:
    runtime = FakeRuntime(gate=asyncio.Event())
    close = WHOLE.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    async with gateway(runtime, max_connections=2) as served, asyncio.TaskGroup() as group:
        calls = [group.create_task(served.raw(close)) for _ in range(6)]
        await until(lambda: runtime.under_way == 2)
        await asyncio.sleep(0.1)
        assert runtime.under_way == 2
        assert runtime.gate is not None
        runtime.gate.set()
        assert [(await call).endswith(RAW) for call in calls] == [True] * 6


@in_loop
async def test_an_idle_connection_makes_place_for_those_who_wait() -> None:
    async with gateway(max_connections=1) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(WHOLE)
        await reader.readuntil(RAW)
        async with asyncio.timeout(4.0):
            assert (await served.post())[0] == 200
        writer.close()


@in_loop
async def test_those_who_wait_for_a_place_are_served_before_the_end() -> None:
    runtime = FakeRuntime(gate=asyncio.Event())
    async with gateway(runtime, max_connections=1) as served, asyncio.TaskGroup() as group:
        calls = [group.create_task(served.raw(WHOLE)) for _ in range(4)]
        await until(lambda: runtime.under_way == 1)
        await asyncio.sleep(0.1)
        served.stop.ask()
        await until(lambda: runtime.under_way == 4)
        assert runtime.gate is not None
        runtime.gate.set()
        assert [(await call).endswith(RAW) for call in calls] == [True] * 4


# The end


@in_loop
async def test_a_stopping_gateway_finishes_its_calls_and_takes_no_new_connections() -> None:
    runtime = FakeRuntime(gate=asyncio.Event())
    async with gateway(runtime) as served, asyncio.TaskGroup() as group:
        call = group.create_task(served.post())
        await until(lambda: runtime.under_way == 1)
        served.stop.ask()
        await until(lambda: served.gateway.is_draining)
        await asyncio.sleep(0.05)
        with pytest.raises(OSError, match=r"refused|failed"):
            await asyncio.open_connection("127.0.0.1", served.port)
        assert runtime.gate is not None
        runtime.gate.set()
        status, body, headers = await call
        assert (status, body, headers["Connection"]) == (200, RAW, "close")
        assert await served.serving == 0


@in_loop
async def test_a_request_on_its_way_when_the_gateway_stops_is_answered() -> None:
    async with gateway() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(WHOLE)
        await reader.readuntil(RAW)
        served.stop.ask()
        await until(lambda: served.gateway.is_draining)
        writer.write(WHOLE)
        answer = await reader.read()
        assert answer.endswith(RAW)
        writer.close()


@in_loop
async def test_a_stream_that_began_before_the_stop_leaves_time_for_a_request_on_its_way() -> None:
    gate = asyncio.Event()
    stream = FakeStream(pieces("a", "b"))

    async def pause() -> None:
        if not stream.cached:  # the first piece comes at once
            stream.cached = True
            return
        await gate.wait()

    stream.pause = pause
    asked = msgspec.json.encode({**HELLO, "stream": True})
    async with gateway(FakeRuntime(streamed=lambda _: stream)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(asked) + asked)
        assert b"connection: close" not in (await reader.readuntil(b"\r\n\r\n")).lower()
        served.stop.ask()
        await until(lambda: served.gateway.is_draining)
        gate.set()
        assert (await reader.readuntil(b"\r\n0\r\n\r\n")).endswith(b"[DONE]\n\n\r\n0\r\n\r\n")
        await asyncio.sleep(0.2)
        writer.write(WHOLE)
        answer = await reader.read()
        assert b"connection: close" in answer.lower()
        assert answer.endswith(RAW)
        assert await served.serving == 0
        writer.close()


@in_loop
async def test_a_connection_long_idle_may_still_send_a_request_right_after_the_stop() -> None:
    async with gateway() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(WHOLE)
        await reader.readuntil(RAW)
        await asyncio.sleep(1.1)  # longer than a stopping gateway waits
        served.stop.ask()
        await until(lambda: served.gateway.is_draining)
        await asyncio.sleep(0.2)
        writer.write(WHOLE)
        assert (await reader.read()).endswith(RAW)
        writer.close()


@in_loop
async def test_a_stopping_gateway_is_not_ready_and_still_alive() -> None:
    async with gateway() as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        reader, asking = await asyncio.open_connection("127.0.0.1", served.port)
        asking.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b'{"status":"ok"}')
        served.stop.ask()
        await until(lambda: served.gateway.is_draining)
        asking.write(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        writer.close()
        asking.close()


@in_loop
async def test_calls_that_do_not_end_in_time_are_cut_and_counted() -> None:
    runtime = FakeRuntime(gate=asyncio.Event())
    async with gateway(runtime, drain_timeout_s=0.1) as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(WHOLE)
        await until(lambda: runtime.under_way == 1)
        served.stop.ask()
        assert await served.serving == 1
        assert runtime.cancelled == 1
        writer.close()


@in_loop
async def test_asked_twice_it_waits_for_nobody() -> None:
    runtime = FakeRuntime(gate=asyncio.Event())
    async with gateway(runtime, drain_timeout_s=60.0) as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(WHOLE)
        await until(lambda: runtime.under_way == 1)
        served.stop.ask()
        await until(lambda: served.gateway.is_draining)
        served.stop.ask()
        async with asyncio.timeout(3.0):
            assert await served.serving == 1
        writer.close()
