from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing

import pytest

from perfwright.core import (
    BadAnswerError,
    ProviderDownError,
    ProviderError,
    ProviderLimitError,
    ProviderRefusedError,
    ProviderTimeoutError,
    StreamCutError,
    SystemClock,
)
from perfwright.llm import Api, Piece, Request
from perfwright.llm.wire import Form, HttpTransport, assemble, is_usage_only, usage_of, wants_usage
from tests.llm.wire.servers import (
    ANSWER,
    DONE,
    EVENTS_HEAD,
    Part,
    Server,
    answer,
    chat_chunk,
    chunk,
    event,
    http,
    serving,
)

CHAT = Request(body={"model": "m", "messages": []})
END = b"0\r\n\r\n"


def streamed(
    parts: Sequence[Part], *, request: Request = CHAT, timeout_s: float = 5.0
) -> tuple[list[Piece], Server]:
    """Read a stream to its end; pieces that came before an error are in its `pieces` note."""

    async def main() -> tuple[list[Piece], Server]:
        async with serving(parts) as server:
            form: Form = "anthropic" if request.api is Api.MESSAGES else "openai"
            transport = HttpTransport(base_url=server.base_url, api_key="k", form=form)
            try:
                stream = await transport.open(request, timeout_s=timeout_s)
                pieces: list[Piece] = []
                try:
                    while (piece := await anext(aiter(stream), None)) is not None:
                        pieces.append(piece)
                except ProviderError as error:
                    error.add_note("".join(piece.text for piece in pieces))
                    raise
                finally:
                    await stream.aclose()
                return pieces, server
            finally:
                await transport.aclose()

    return asyncio.run(main())


def error_of(*parts: Part, request: Request = CHAT, timeout_s: float = 5.0) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        streamed(parts, request=request, timeout_s=timeout_s)
    return raised.value


def test_pieces_come_as_the_provider_sent_them() -> None:
    one, two = chat_chunk("Hi "), chat_chunk("there", finish="stop")
    pieces, server = streamed([EVENTS_HEAD, event(one), 0.01, event(two), DONE])
    assert pieces == [one, two]
    assert pieces[0].raw == b"data: " + json.dumps(one).encode()
    assert json.loads(server.asked[0].body)["stream"] is True


def test_the_usage_of_a_chat_stream_is_asked_for() -> None:
    _, server = streamed([EVENTS_HEAD, event(chat_chunk("a", finish="stop")), DONE])
    assert json.loads(server.asked[0].body)["stream_options"] == {"include_usage": True}


def test_a_raw_body_that_asks_for_the_usage_itself_is_sent_byte_for_byte() -> None:
    raw = b'{"model":"m",  "stream":true,"stream_options":{"include_usage":true}}'
    request = Request(body=json.loads(raw), raw=raw)
    _, server = streamed(
        [EVENTS_HEAD, event(chat_chunk("a", finish="stop")), DONE], request=request
    )
    assert server.asked[0].body == raw


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({}, False),
        ({"stream_options": None}, False),
        ({"stream_options": {"include_usage": False}}, False),
        ({"stream_options": {"include_usage": True}}, True),
    ],
)
def test_who_asked_for_the_usage_is_known(body: dict[str, object], wanted: bool) -> None:
    assert wants_usage(Request(body=body)) is wanted


def test_the_piece_with_the_usage_can_be_told_from_the_others() -> None:
    counted = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    pieces, _ = streamed([EVENTS_HEAD, event(chat_chunk("a", finish="stop")), event(counted), DONE])
    assert [is_usage_only(piece) for piece in pieces] == [False, True]
    usage = usage_of(Api.CHAT, pieces[1])
    assert usage is not None
    assert usage.total_tokens == 5


def test_a_stream_whose_choices_have_finished_needs_no_announced_end() -> None:
    pieces, _ = streamed(
        [EVENTS_HEAD, event(chat_chunk("a")), event(chat_chunk(finish="stop")), END]
    )
    assert assemble(Api.CHAT, pieces)["choices"][0]["message"]["content"] == "a"


@pytest.mark.parametrize("end", [(END,), (None,), (0.05, b"zz\r\n"), (chunk(b'data: {"choi'), END)])
def test_a_stream_that_ends_before_its_end_is_cut(end: Sequence[Part]) -> None:
    error = error_of(EVENTS_HEAD, event(chat_chunk("Hi ")), event(chat_chunk("th")), *end)
    assert isinstance(error, StreamCutError)
    assert (error.text, error.__notes__) == ("Hi th", ["Hi th"])


def test_a_stream_of_two_choices_is_cut_while_one_is_open() -> None:
    finished, going = chat_chunk("a", finish="stop"), chat_chunk("b", index=1)
    assert isinstance(error_of(EVENTS_HEAD, event(finished), event(going), END), StreamCutError)


def test_a_stream_that_announces_its_end_without_a_piece_is_cut() -> None:
    assert isinstance(error_of(EVENTS_HEAD, DONE), StreamCutError)


def test_a_connection_that_breaks_after_the_end_was_announced_loses_nothing() -> None:
    done = chunk(b"data: [DONE]\n\n")
    pieces, _ = streamed([EVENTS_HEAD, event(chat_chunk("a", finish="stop")), done, None])
    assert len(pieces) == 1


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"error": {"message": "no", "code": "rate_limit_exceeded"}}, ProviderLimitError),
        ({"error": {"message": "no", "type": "server_error"}}, ProviderDownError),
        ({"error": {"message": "no", "type": "invalid_request_error"}}, ProviderRefusedError),
        ({"error": {"message": "no", "code": 503}, "choices": []}, ProviderDownError),
        ({"error": "no"}, ProviderDownError),
    ],
)
def test_an_error_within_a_stream_is_raised_after_the_pieces_before_it(
    payload: object, kind: type[ProviderError]
) -> None:
    error = error_of(EVENTS_HEAD, event(chat_chunk("Hi")) + event(payload), END)
    assert (type(error), error.problem, error.__notes__) == (kind, "no", ["Hi"])


def test_an_event_named_error_is_one_whatever_its_form() -> None:
    error = error_of(EVENTS_HEAD, event({"message": "gone wrong"}, name="error"), END)
    assert (type(error), error.problem) == (ProviderDownError, "gone wrong")


def test_an_event_that_is_no_json_is_a_bad_answer() -> None:
    error = error_of(EVENTS_HEAD, chunk(b"data: oops\n\n"), END)
    assert (type(error), "'oops'" in error.problem) == (BadAnswerError, True)


@pytest.mark.parametrize(
    "payload", [{"choices": [None]}, {"choices": 5}, {"choices": [{"delta": 3}]}]
)
def test_an_event_that_is_not_what_the_format_says_is_a_bad_answer(payload: object) -> None:
    assert type(error_of(EVENTS_HEAD, event(payload), END)) is BadAnswerError


def test_a_stream_that_says_nothing_for_too_long_is_a_timeout() -> None:
    error = error_of(EVENTS_HEAD, event(chat_chunk("Hi")), 5.0, timeout_s=0.05)
    assert isinstance(error, ProviderTimeoutError)
    assert "no piece of its stream came for 0.05 s" in error.problem


def test_comments_that_keep_a_connection_alive_are_no_pieces() -> None:
    ping: list[Part] = [chunk(b": ping\n\n"), 0.02]
    assert isinstance(error_of(EVENTS_HEAD, *(ping * 20), timeout_s=0.1), ProviderTimeoutError)


def test_a_long_stream_with_short_waits_is_in_time() -> None:
    parts: list[Part] = [EVENTS_HEAD]
    for _ in range(10):
        parts += [event(chat_chunk("a")), 0.02]
    pieces, _ = streamed([*parts, event(chat_chunk(finish="stop")), DONE], timeout_s=0.15)
    assert len(pieces) == 11


def test_a_refusal_of_the_stream_is_raised_on_opening() -> None:
    error = error_of(
        http(b'{"error": {"message": "slow"}}', status=429, headers={"retry-after": "2"})
    )
    assert (type(error), error.retry_after_s) == (ProviderLimitError, 2.0)


def test_a_stream_that_is_not_accepted_in_time_is_a_timeout() -> None:
    error = error_of(5.0, timeout_s=0.05)
    assert isinstance(error, ProviderTimeoutError)
    assert "no answer within 0.05 s" in error.problem


def test_a_server_that_does_not_stream_gives_its_answer_in_pieces() -> None:
    pieces, _ = streamed([answer()])
    assert assemble(Api.CHAT, pieces) == ANSWER


def test_a_page_instead_of_a_stream_is_a_bad_answer() -> None:
    page = http(b"<html><title>Sign in</title>", headers={"content-type": "text/html"})
    assert "titled 'Sign in'" in error_of(page).problem


def test_a_stream_that_was_read_gives_its_connection_back() -> None:
    async def main() -> int:
        good = [EVENTS_HEAD, event(chat_chunk("a", finish="stop")), DONE]
        async with serving(good) as server:
            transport = HttpTransport(base_url=server.base_url)
            for _ in range(3):
                stream = await transport.open(CHAT, timeout_s=5)
                assert [piece.text async for piece in stream] == ["a"]
                await stream.aclose()
            await transport.aclose()
            return server.connections

    assert asyncio.run(main()) == 1


def test_a_stream_that_was_left_early_closes_its_connection() -> None:
    async def main() -> int:
        endless: list[Part] = [EVENTS_HEAD, *[event(chat_chunk("a"))] * 100, 1.0]
        async with serving(endless) as server:
            transport = HttpTransport(base_url=server.base_url, max_connections=1)
            for _ in range(3):
                async with aclosing(await transport.open(CHAT, timeout_s=5)) as stream:
                    assert (await anext(aiter(stream))).text == "a"
                    await stream.aclose()  # twice does no harm
            await transport.aclose()
            return server.connections

    assert asyncio.run(main()) == 3


def test_a_provider_waits_for_a_reader_that_is_slow() -> None:
    total = 64 << 20
    sent = 0

    async def main() -> int:
        async def flood(writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            part = event(chat_chunk("x" * 100_000))
            while sent < total:
                writer.write(part)
                await writer.drain()
                sent += len(part)

        async with serving([EVENTS_HEAD, flood]) as server:
            transport = HttpTransport(base_url=server.base_url)
            stream = await transport.open(CHAT, timeout_s=5)
            await anext(aiter(stream))
            await asyncio.sleep(0.2)
            await stream.aclose()
            await transport.aclose()
            return sent

    assert asyncio.run(main()) < total / 2


def test_closing_a_stream_ends_the_wait_for_its_next_piece() -> None:
    async def main() -> ProviderError:
        async with serving([EVENTS_HEAD, event(chat_chunk("a")), 5.0]) as server:
            transport = HttpTransport(base_url=server.base_url)
            stream = await transport.open(CHAT, timeout_s=5)
            pieces = aiter(stream)
            await anext(pieces)

            async def wait() -> ProviderError:
                with pytest.raises(StreamCutError) as cut:
                    await anext(pieces)
                return cut.value

            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(wait())
                await asyncio.sleep(0.02)
                await stream.aclose()
            await transport.aclose()
            return waiting.result()

    started = SystemClock().now()
    assert "let go" in asyncio.run(main()).problem
    assert SystemClock().now() - started < 2


def test_a_stream_that_failed_fails_again_when_asked_again() -> None:
    async def main() -> list[type[ProviderError]]:
        async with serving([EVENTS_HEAD, event(chat_chunk("a")), 5.0]) as server:
            transport = HttpTransport(base_url=server.base_url)
            stream = await transport.open(CHAT, timeout_s=0.05)
            pieces = aiter(stream)
            await anext(pieces)
            found: list[type[ProviderError]] = []
            for _ in range(2):
                with pytest.raises(ProviderError) as raised:
                    await anext(pieces)
                found.append(raised.type)
            await transport.aclose()
            return found

    assert asyncio.run(main()) == [ProviderTimeoutError, ProviderTimeoutError]


def test_the_readers_own_time_does_not_count() -> None:
    async def main() -> list[str]:
        late: list[Part] = [EVENTS_HEAD, event(chat_chunk("a")), 0.15]
        async with serving([*late, event(chat_chunk("b", finish="stop")), DONE]) as server:
            transport = HttpTransport(base_url=server.base_url)
            stream = await transport.open(CHAT, timeout_s=0.1)
            texts = []
            async for piece in stream:
                texts.append(piece.text)
                await asyncio.sleep(0.12)
            await transport.aclose()
            return texts

    assert asyncio.run(main()) == ["a", "b"]


def test_a_stream_ends_once() -> None:
    async def main() -> int:
        async with serving([EVENTS_HEAD, event(chat_chunk("a", finish="stop")), DONE]) as server:
            transport = HttpTransport(base_url=server.base_url)
            stream = await transport.open(CHAT, timeout_s=5)
            first = [piece async for piece in stream]
            again = [piece async for piece in stream]
            await transport.aclose()
            return len(first) + 10 * len(again)

    assert asyncio.run(main()) == 1


# --- The other forms ------------------------------------------------------------------------------

RESPONSES = Request(api=Api.RESPONSES, body={"model": "m", "input": "hi"})
MESSAGES = Request(api=Api.MESSAGES, body={"model": "m"})


def test_a_stream_of_responses_ends_with_its_last_event() -> None:
    delta = {"type": "response.output_text.delta", "delta": "Hi"}
    last = {"type": "response.completed", "response": {"output": [], "status": "completed"}}
    pieces, server = streamed([EVENTS_HEAD, event(delta), event(last), END], request=RESPONSES)
    assert [piece.text for piece in pieces] == ["Hi", ""]
    assert json.loads(server.asked[0].body) == {"model": "m", "input": "hi", "stream": True}


def test_a_stream_of_responses_without_its_last_event_is_cut() -> None:
    delta = {"type": "response.output_text.delta", "delta": "Hi"}
    error = error_of(EVENTS_HEAD, event(delta), END, request=RESPONSES)
    assert isinstance(error, StreamCutError)
    assert error.text == "Hi"


def test_a_response_that_failed_is_an_error() -> None:
    failed = {"code": "rate_limit_exceeded", "message": "slow"}
    last = {"type": "response.failed", "response": {"status": "failed", "error": failed}}
    assert type(error_of(EVENTS_HEAD, event(last), END, request=RESPONSES)) is ProviderLimitError


def test_a_stream_of_messages_ends_with_message_stop() -> None:
    text = {"type": "text_delta", "text": "Hi"}
    delta = {"type": "content_block_delta", "index": 0, "delta": text}
    stop = event({"type": "message_stop"}, name="message_stop")
    named = event(delta, name="content_block_delta")
    pieces, server = streamed([EVENTS_HEAD, named, stop, END], request=MESSAGES)
    assert [piece.text for piece in pieces] == ["Hi", ""]
    assert pieces[1].raw == b'event: message_stop\ndata: {"type": "message_stop"}'
    assert server.asked[0].headers["x-api-key"] == "k"


def test_a_stream_of_messages_without_message_stop_is_cut() -> None:
    delta = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "H"},
    }
    error = error_of(EVENTS_HEAD, event(delta), END, request=MESSAGES)
    assert isinstance(error, StreamCutError)
    assert error.text == "H"


def test_an_overloaded_anthropic_is_down() -> None:
    payload = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    error = error_of(EVENTS_HEAD, event(payload, name="error"), END, request=MESSAGES)
    assert (type(error), error.status) == (ProviderDownError, 529)
