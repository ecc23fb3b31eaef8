from __future__ import annotations

import asyncio
import gc
import gzip
import json
import subprocess
import sys
import warnings
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from perfwright.core import (
    BadAnswerError,
    ConfigError,
    ManualClock,
    ProviderDownError,
    ProviderError,
    ProviderLimitError,
    ProviderRefusedError,
    ProviderTimeoutError,
)
from perfwright.llm import Api, Reply, Request, Usage
from perfwright.llm.testing import SimulatedProvider
from perfwright.llm.wire import HttpTransport, dialling
from perfwright.llm.wire.connection import Connection
from tests.llm.wire.servers import ANSWER, Part, Server, answer, http, serving

T = TypeVar("T")
CHAT = Request(body={"model": "m", "messages": [{"role": "user", "content": "hi"}]})


def with_server(
    work: Callable[[HttpTransport, Server], Awaitable[T]], *answers: list[Part]
) -> tuple[T, Server]:
    """Run `work` against a server that gives these answers."""

    async def main() -> tuple[T, Server]:
        async with serving(*answers) as server:
            transport = HttpTransport(
                base_url=server.base_url, api_key="sk-secret", name="here", clock=ManualClock()
            )
            try:
                return await work(transport, server), server
            finally:
                await transport.aclose()

    return asyncio.run(main())


def sent(
    *answers: list[Part], request: Request = CHAT, timeout_s: float = 5.0
) -> tuple[Reply, Server]:
    async def work(transport: HttpTransport, _: Server) -> Reply:
        return await transport.send(request, timeout_s=timeout_s)

    return with_server(work, *answers)


def error_of(*parts: Part, timeout_s: float = 5.0) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        sent(list(parts), timeout_s=timeout_s)
    assert "sk-secret" not in str(raised.value) + repr(raised.value)
    return raised.value


# --- What is sent ---------------------------------------------------------------------------------


def test_a_request_goes_out_as_json_with_the_key() -> None:
    reply, server = sent([answer()])
    (asked,) = server.asked
    assert asked.line == "POST /v1/chat/completions HTTP/1.1"
    assert json.loads(asked.body) == CHAT.body
    assert asked.headers["authorization"] == "Bearer sk-secret"
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert (reply.payload, reply.usage) == (ANSWER, Usage(prompt_tokens=3, completion_tokens=1))


def test_a_raw_body_goes_out_byte_for_byte() -> None:
    raw = b'{ "messages":[],\t"model" :"m", "x": 1.00 }'
    _, server = sent([answer()], request=Request(body=json.loads(raw), raw=raw))
    assert server.asked[0].body == raw


def test_a_raw_body_that_asks_for_a_stream_is_altered_for_a_whole_answer() -> None:
    body = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
    _, server = sent([answer()], request=Request(body=body, raw=json.dumps(body).encode()))
    assert json.loads(server.asked[0].body) == {"model": "m"}


def test_half_a_surrogate_pair_in_a_prompt_is_sent_escaped() -> None:
    _, server = sent([answer()], request=Request(body={"model": "m\ud800"}))
    assert server.asked[0].body == b'{"model": "m\\ud800"}'


def test_the_answer_comes_with_its_bytes_for_those_who_pass_it_on() -> None:
    reply, _ = sent([answer()])
    assert reply.raw == json.dumps(ANSWER).encode()


def test_headers_come_with_names_in_lower_case() -> None:
    reply, _ = sent(
        [http(json.dumps(ANSWER).encode(), headers={"X-RateLimit-Limit-Requests": "9"})]
    )
    assert reply.headers["x-ratelimit-limit-requests"] == "9"


@pytest.mark.parametrize(
    ("api", "path", "payload"),
    [
        (Api.RESPONSES, "/v1/responses", {"output": [], "status": "completed"}),
        (Api.EMBEDDINGS, "/v1/embeddings", {"data": [], "usage": {"prompt_tokens": 2}}),
    ],
)
def test_each_interface_has_its_path(api: Api, path: str, payload: dict[str, object]) -> None:
    body = json.dumps(payload).encode()
    reply, server = sent([http(body)], request=Request(api=api, body={"model": "m"}))
    assert server.asked[0].line == f"POST {path} HTTP/1.1"
    assert reply.payload == payload


def test_an_interface_that_an_endpoint_does_not_have_is_refused_unsent() -> None:
    transport = HttpTransport(base_url="http://127.0.0.1:9/v1", form="anthropic")
    request = Request(api=Api.EMBEDDINGS, body={"model": "m", "input": "a"})
    with pytest.raises(ProviderRefusedError, match="has no embeddings; the request was not sent"):
        asyncio.run(transport.send(request, timeout_s=5))


# --- What comes back ------------------------------------------------------------------------------


def failing(status: int, error: object = None, **headers: str) -> bytes:
    body = {"error": error or {"message": "no", "type": "t", "code": "c"}}
    return http(json.dumps(body).encode(), status=status, headers=headers)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ProviderRefusedError),
        (401, ProviderRefusedError),
        (404, ProviderRefusedError),
        (422, ProviderRefusedError),
        (408, ProviderTimeoutError),
        (409, ProviderDownError),
        (429, ProviderLimitError),
        (500, ProviderDownError),
        (503, ProviderDownError),
        (504, ProviderTimeoutError),
        (529, ProviderDownError),
    ],
)
def test_a_status_has_its_error(status: int, kind: type[ProviderError]) -> None:
    error = error_of(failing(status))
    assert type(error) is kind
    assert (error.status, error.problem, error.code) == (status, "no", "c")


def test_an_error_carries_what_the_provider_says_beside_it() -> None:
    error = error_of(
        failing(429, **{"Retry-After-Ms": "1500", "x-request-id": "req_7", "x-left": "0"})
    )
    assert (error.retry_after_s, error.request_id, error.headers["x-left"]) == (1.5, "req_7", "0")


def test_an_empty_account_is_not_a_limit_that_waiting_helps_with() -> None:
    spent = {"message": "You exceeded your current quota", "code": "insufficient_quota"}
    error = error_of(failing(429, spent))
    assert (type(error), error.is_transient) == (ProviderRefusedError, False)


@pytest.mark.parametrize(
    ("status", "word", "transient"), [(500, "false", False), (400, "true", True)]
)
def test_the_providers_own_word_on_retrying_counts(status: int, word: str, transient: bool) -> None:
    assert error_of(failing(status, **{"x-should-retry": word})).is_transient is transient


def test_a_key_that_the_provider_quotes_is_cut_out() -> None:
    error = error_of(failing(401, {"message": "Incorrect API key: sk-secret."}))
    assert error.problem == "Incorrect API key: ***."


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"message": "your key sk-secret is bad", "code": "sk-secret"}}',
        b"<html><title>sk-secret</title>",
        b"sk-secret is bad",
    ],
)
@pytest.mark.parametrize("status", [200, 500])
def test_a_key_is_cut_out_wherever_an_answer_quotes_it(status: int, body: bytes) -> None:
    error = error_of(http(body, status=status, headers={"x-request-id": "for sk-secret"}))
    assert error.request_id == "for ***"
    assert "sk-secret" not in f"{error} {error.code} {error.headers}"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"detail": "Not found"}', "Not found"),
        (b'{"detail": [{"loc": ["body"]}]}', '[{"loc":["body"]}]'),
        (b'{"error": "plain words"}', "plain words"),
        (b'{"object": "error", "message": "too long", "code": 400}', "too long"),
        (b"<html><title>502 Bad\nGateway</title>", "an HTML page titled '502 Bad\\nGateway'"),
        (b"", "an empty body"),
        (b"upstream died", "13 bytes that begin with 'upstream died'"),
        (b"[1]", "3 bytes that begin with '[1]'"),
        (b"{}", "2 bytes that begin with '{}'"),
    ],
)
def test_any_form_of_error_body_is_told(body: bytes, problem: str) -> None:
    assert problem in error_of(http(body, status=502)).problem


def test_a_redirect_is_refused_with_where_it_points() -> None:
    error = error_of(http(status=307, headers={"location": "https://x.test/v1?key=k"}))
    assert (type(error), error.is_transient) == (ProviderRefusedError, False)
    assert "redirects to https://x.test/v1;" in error.problem


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "an empty body instead of a JSON object"),
        (b"<!doctype html><html>", "an HTML page"),
        (b'{"choices": [', "cut off or damaged (13 bytes)"),
        (b"null", "4 bytes"),
        (b'{"choices": "none"}', "no 'choices'"),
        (b'{"choices": []}', "no 'choices'"),
        (b'{"choices": [null]}', "no 'choices'"),
        (b'{"a": "\xff"}', "damaged (10 bytes)"),
        (b"[" * 100_000, "100,000 bytes"),
    ],
)
def test_an_answer_that_is_none_is_a_bad_answer(body: bytes, problem: str) -> None:
    error = error_of(http(body))
    assert (type(error), error.is_transient) == (BadAnswerError, True)
    assert problem in error.problem


def test_no_content_is_a_bad_answer() -> None:
    assert type(error_of(b"HTTP/1.1 204 No Content\r\n\r\n")) is BadAnswerError


def test_an_error_behind_a_good_status_is_that_error() -> None:
    error = error_of(http(b'{"error": {"message": "slow down", "code": 429}}'))
    assert (type(error), error.status) == (ProviderLimitError, 429)


def test_a_failed_response_is_an_error() -> None:
    body = b'{"status": "failed", "error": {"code": "server_error", "message": "sorry"}}'
    request = Request(api=Api.RESPONSES, body={"model": "m"})
    with pytest.raises(ProviderDownError, match="sorry"):
        sent([http(body)], request=request)


def test_a_body_shorter_than_its_length_is_a_bad_answer() -> None:
    error = error_of(answer()[:-10], None)
    assert type(error) is BadAnswerError
    assert "closed within it" in error.problem


def test_a_body_that_is_cut_without_a_length_is_a_bad_answer() -> None:
    error = error_of(b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps(ANSWER).encode()[:-10], None)
    assert type(error) is BadAnswerError


def test_a_connection_closed_before_the_answer_is_a_failure_of_the_provider() -> None:
    error = error_of(None)
    assert (type(error), error.status) == (ProviderDownError, None)


def test_what_is_no_http_is_a_bad_answer() -> None:
    assert "no HTTP/1.1" in error_of(b"SSH-2.0-OpenSSH_9.6\r\n").problem


def test_a_packed_body_is_read() -> None:
    packed = gzip.compress(json.dumps(ANSWER).encode())
    reply, _ = sent([http(packed, headers={"content-encoding": "gzip"})])
    assert reply.payload == ANSWER


def test_the_content_type_of_an_answer_does_not_matter() -> None:
    reply, _ = sent([http(json.dumps(ANSWER).encode(), headers={"content-type": "text/plain"})])
    assert reply.payload == ANSWER


def test_a_large_answer_is_read_whole() -> None:
    text = "x" * 3_000_000
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    reply, _ = sent([answer(choices=[choice])])
    assert reply.payload["choices"][0]["message"]["content"] == text


def test_an_answer_that_does_not_come_in_time_is_a_timeout() -> None:
    error = error_of(5.0, timeout_s=0.05)
    assert (type(error), isinstance(error, TimeoutError)) == (ProviderTimeoutError, True)
    assert "no answer within 0.05 s" in str(error)


def test_a_server_that_is_not_there_is_down() -> None:
    async def main() -> None:
        async with serving([answer()]) as server:
            base_url = server.base_url
        transport = HttpTransport(base_url=base_url, name="gone")
        await transport.send(CHAT, timeout_s=5)

    with pytest.raises(ProviderDownError, match=r"'gone'.*cannot be reached"):
        asyncio.run(main())


def test_a_name_that_does_not_exist_is_down() -> None:
    transport = HttpTransport(base_url="http://nowhere.invalid/v1")
    with pytest.raises(ProviderDownError, match="cannot be reached"):
        asyncio.run(transport.send(CHAT, timeout_s=10))


# --- Connections ----------------------------------------------------------------------------------


def test_calls_one_after_the_other_share_a_connection() -> None:
    async def work(transport: HttpTransport, server: Server) -> int:
        for _ in range(5):
            await transport.send(CHAT, timeout_s=5)
        return server.connections

    assert with_server(work, [answer()])[0] == 1


def test_calls_at_once_have_a_connection_each() -> None:
    async def work(transport: HttpTransport, server: Server) -> int:
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(transport.send(CHAT, timeout_s=5))
        return server.connections

    assert with_server(work, [0.02, answer()])[0] == 4


def test_no_more_connections_are_open_than_allowed() -> None:
    async def main() -> int:
        async with serving([0.005, answer()]) as server:
            transport = HttpTransport(base_url=server.base_url, max_connections=2)
            async with asyncio.TaskGroup() as group:
                for _ in range(8):
                    group.create_task(transport.send(CHAT, timeout_s=5))
            await transport.aclose()
            assert len(server.asked) == 8
            return server.connections

    assert asyncio.run(main()) == 2


def test_an_error_answer_keeps_its_connection() -> None:
    async def work(transport: HttpTransport, server: Server) -> int:
        for _ in range(3):
            with pytest.raises(ProviderDownError):
                await transport.send(CHAT, timeout_s=5)
        return server.connections

    assert with_server(work, [failing(500)])[0] == 1


def test_a_connection_that_the_server_closed_while_idle_is_not_used() -> None:
    async def work(transport: HttpTransport, server: Server) -> int:
        for _ in range(3):
            await transport.send(CHAT, timeout_s=5)
            await asyncio.sleep(0.02)
        return server.connections

    assert with_server(work, [answer(), None])[0] == 3


def test_a_server_that_speaks_unasked_loses_its_connection() -> None:
    async def work(transport: HttpTransport, server: Server) -> int:
        for _ in range(2):
            assert (await transport.send(CHAT, timeout_s=5)).payload == ANSWER
            await asyncio.sleep(0.03)
        return server.connections

    late = http(b"{}", status=408)
    assert with_server(work, [answer(), 0.01, late])[0] == 2


def test_a_connection_that_was_idle_for_long_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("perfwright.llm.wire.pool.IDLE_S", 0.0)

    async def work(transport: HttpTransport, server: Server) -> int:
        for _ in range(3):
            await transport.send(CHAT, timeout_s=5)
        return server.connections

    assert with_server(work, [answer()])[0] == 3


def test_an_address_that_stops_answering_is_looked_up_again() -> None:
    async def main() -> list[str]:
        async with serving([answer()]) as server:
            lost: list[Connection] = []
            there = dialling.Server(host="localhost", port=server.port, is_tls=False)
            dialer = dialling.Dialer(there, context=None)
            first = await dialer.dial(lost.append)
            dialer._address = "127.0.0.2"  # nobody listens there
            second = await dialer.dial(lost.append)
            peers = [first.peer, second.peer]
            first.close()
            second.close()
            await asyncio.sleep(0.01)
            assert len(lost) == 2
            return peers

    assert asyncio.run(main()) == ["127.0.0.1", "127.0.0.1"]


def test_a_cancelled_call_gives_its_place_back_without_its_connection() -> None:
    async def main() -> int:
        async with serving([0.3, answer()], [answer()]) as server:
            transport = HttpTransport(base_url=server.base_url, max_connections=1)
            with pytest.raises(ProviderTimeoutError):
                await transport.send(CHAT, timeout_s=0.05)
            await transport.send(CHAT, timeout_s=5)
            await transport.aclose()
            return server.connections

    assert asyncio.run(main()) == 2


def test_warming_opens_connections_that_calls_then_use() -> None:
    async def work(transport: HttpTransport, server: Server) -> tuple[int, int, int]:
        opened = await transport.warm(3)
        again = await transport.warm(3)
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(transport.send(CHAT, timeout_s=5))
        return opened, again, server.connections

    assert with_server(work, [0.02, answer()])[0] == (3, 3, 3)


def test_warming_a_server_that_is_down_opens_nothing() -> None:
    async def main() -> int:
        async with serving([answer()]) as server:
            base_url = server.base_url
        return await HttpTransport(base_url=base_url).warm(2)

    assert asyncio.run(main()) == 0


def test_a_transport_works_in_a_second_event_loop_without_having_been_closed() -> None:
    with SimulatedProvider(latency_s=0.0) as provider:
        transport = HttpTransport(base_url=provider.base_url)
        for _ in range(2):
            reply = asyncio.run(transport.send(CHAT, timeout_s=5))
            assert reply.usage is not None
        assert provider.counts()["connections"] == 2


def test_loops_in_several_threads_use_one_transport() -> None:
    with SimulatedProvider(latency_s=0.0) as provider:
        transport = HttpTransport(base_url=provider.base_url)

        async def calls() -> int:
            replies = [await transport.send(CHAT, timeout_s=5) for _ in range(20)]
            return len(replies)

        with ThreadPoolExecutor(4) as threads:
            done = list(threads.map(lambda _: asyncio.run(calls()), range(8)))
        assert done == [20] * 8
        assert provider.counts()["answered"] == 160


def test_a_transport_that_is_dropped_closes_its_connections() -> None:
    async def main() -> int:
        async with serving([answer()]) as server:
            transport = HttpTransport(base_url=server.base_url)
            await transport.send(CHAT, timeout_s=5)
            del transport
            gc.collect()
            for _ in range(50):
                if server.closed:
                    break
                await asyncio.sleep(0.01)
            return server.closed

    assert asyncio.run(main()) == 1


def test_a_program_that_forgets_to_close_is_not_warned() -> None:
    async def main() -> None:
        async with serving([answer()]) as server:
            transport = HttpTransport(base_url=server.base_url)
            await transport.send(CHAT, timeout_s=5)

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        asyncio.run(main(), debug=True)
        gc.collect()
    assert [str(one.message) for one in seen] == []


# --- Settings -------------------------------------------------------------------------------------


def test_the_key_is_in_no_text() -> None:
    transport = HttpTransport(
        base_url="https://user:pass@api.example.test/v1?sig=abc", api_key="sk-secret"
    )
    assert repr(transport) == (
        "HttpTransport(name='default', base_url='https://api.example.test/v1', form='openai')"
    )


def test_a_key_that_is_no_header_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError, match="header authorization") as refused:
        HttpTransport(base_url="http://x.test", api_key="sk-se\ncret")
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize("base_url", ["", "api.openai.com/v1", "ftp://x.test", "http://"])
def test_what_is_no_address_is_refused(base_url: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        HttpTransport(base_url=base_url)


def test_importing_it_loads_no_client_library() -> None:
    code = "import sys, perfwright.llm.wire; print(*{'aiohttp', 'openai'} & set(sys.modules))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == ""
