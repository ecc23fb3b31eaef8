"""Streams: piece by piece, byte for byte, and never cut in silence."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import msgspec
import pytest

from perfwright.core.errors import ProviderLimitError, StreamCutError
from perfwright.llm.gateway.server import Connection
from perfwright.llm.replies import Piece
from perfwright.llm.requests import Request
from tests.limits.loops import in_loop
from tests.llm.gateway.fakes import CHAT, HELLO, FakeRuntime, FakeStream, gateway, pieces, until

STREAM: dict[str, Any] = {**HELLO, "stream": True}
CUT = StreamCutError(endpoint="e", problem="cut")


def streaming(*given: Piece | BaseException) -> tuple[FakeRuntime, FakeStream]:
    stream = FakeStream(given)
    return FakeRuntime(streamed=lambda _: stream), stream


@in_loop
async def test_pieces_are_passed_on_byte_for_byte() -> None:
    runtime, _ = streaming(*pieces("a", "b"))
    async with gateway(runtime) as served:
        status, body, headers = await served.post(body=STREAM)
    raw = [piece.raw for piece in pieces("a", "b")]
    assert body == b"%s\n\n%s\n\ndata: [DONE]\n\n" % (raw[0], raw[1])
    assert (status, headers["Content-Type"]) == (200, "text/event-stream")


@in_loop
async def test_a_piece_arrives_before_the_next_one_is_there() -> None:
    gate = asyncio.Event()
    stream = FakeStream(pieces("a", "b"))

    async def pause() -> None:
        if stream.given[0].get("seen"):  # type: ignore[union-attr]
            await gate.wait()
        stream.given[0]["seen"] = True  # type: ignore[index]

    stream.pause = pause
    async with (
        gateway(FakeRuntime(streamed=lambda _: stream)) as served,
        served.client.post(CHAT, json=STREAM) as answer,
    ):
        assert b'"a"' in await answer.content.readany()
        assert not gate.is_set()
        gate.set()
        assert b'"b"' in await answer.content.read()


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (CHAT, b'data: {"type":"x.y"}\n\ndata: [DONE]\n\n'),
        ("/v1/responses", b'event: x.y\ndata: {"type":"x.y"}\n\n'),
        ("/v1/messages", b'event: x.y\ndata: {"type":"x.y"}\n\n'),
    ],
)
@in_loop
async def test_pieces_from_the_cache_are_written_in_the_form_of_their_interface(
    path: str, written: bytes
) -> None:
    runtime, _ = streaming(Piece({"type": "x.y"}))
    async with gateway(runtime) as served:
        _, body, _ = await served.post(path, STREAM)
    assert body == written


@in_loop
async def test_a_failure_before_the_first_piece_has_a_status() -> None:
    runtime, stream = streaming(ProviderLimitError(endpoint="e", problem="p"))
    async with gateway(runtime) as served:
        assert await served.error(body=STREAM) == (429, "rate_limit_exceeded")
    assert stream.is_closed


@in_loop
async def test_a_refusal_to_open_has_a_status() -> None:
    def refuse(_: Request) -> FakeStream:
        raise ProviderLimitError(endpoint="e", problem="p")

    async with gateway(FakeRuntime(streamed=refuse)) as served:
        assert await served.error(body=STREAM) == (429, "rate_limit_exceeded")


@pytest.mark.parametrize(("path", "begins"), [(CHAT, b"data: "), ("/v1/messages", b"event: error")])
@in_loop
async def test_a_stream_that_is_cut_says_so(path: str, begins: bytes) -> None:
    runtime, _ = streaming(*pieces("a"), CUT)
    body = msgspec.json.encode(STREAM)
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    async with gateway(runtime) as served:
        answer = await served.raw(head % (path.encode(), len(body)) + body)
    last = answer.split(b"\r\n")[-2]
    assert last.startswith(begins)
    assert b'"error"' in last
    assert b"[DONE]" not in answer


@in_loop
async def test_a_stream_that_is_cut_is_no_complete_http_answer() -> None:
    runtime, _ = streaming(*pieces("a"), CUT)
    async with gateway(runtime) as served:
        with pytest.raises(aiohttp.ClientPayloadError):
            await served.post(body=STREAM)


@in_loop
async def test_a_caller_that_vanishes_ends_its_stream() -> None:
    runtime, stream = streaming(*pieces(*"abcdefgh"))
    stream.pause = lambda: asyncio.sleep(0.05)
    async with gateway(runtime) as served:
        async with served.client.post(CHAT, json=STREAM) as answer:
            await answer.content.readany()
            answer.close()
        await until(lambda: stream.is_closed)
        await until(lambda: served.gateway.counts.disconnected == 1)
        assert served.gateway.counts.in_flight == 0


@in_loop
async def test_a_caller_whose_connection_is_closing_has_left_and_is_no_defect(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[Connection] = []

    def begin(self: Connection) -> None:
        made.append(self)

    monkeypatch.setattr(Connection, "begin", begin)
    runtime, stream = streaming(*pieces("a", "b"))

    async def close_it() -> None:
        assert made[0].transport is not None
        made[0].transport.close()

    stream.pause = close_it
    async with gateway(runtime) as served:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await served.post(body=STREAM)
        await until(lambda: served.gateway.counts.in_flight == 0)
        assert served.gateway.counts.disconnected == 1
        assert served.gateway.counts.requests == 0
    assert caplog.text == ""


@in_loop
async def test_a_caller_that_reads_nothing_is_given_up() -> None:
    runtime, stream = streaming(*pieces(*["x" * 100_000] * 400))
    body = msgspec.json.encode(STREAM)
    async with gateway(runtime, write_timeout_s=0.2) as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1_000)
        head = (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        )
        writer.write(head % len(body) + body)
        await until(lambda: stream.is_closed)
        writer.close()
        assert served.gateway.counts.slow_connections == 1


@in_loop
async def test_an_empty_stream_is_an_empty_answer() -> None:
    runtime, _ = streaming()
    async with gateway(runtime) as served:
        assert (await served.post(body=STREAM))[:2] == (200, b"data: [DONE]\n\n")


@in_loop
async def test_an_old_client_gets_its_stream_without_chunks() -> None:
    body = msgspec.json.encode(STREAM)
    head = b"POST /v1/chat/completions HTTP/1.0\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    async with gateway() as served:
        answer = await served.raw(head % len(body) + body)
    assert answer.endswith(b"\n\ndata: [DONE]\n\n")


@in_loop
async def test_embeddings_are_never_streamed() -> None:
    async with gateway() as served:
        status, body, _ = await served.post("/v1/embeddings", STREAM)
    assert (status, body[:1]) == (200, b"{")
