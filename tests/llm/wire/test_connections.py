"""Connections that are kept: which are used again, and what becomes of the others."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from perfwright.core import ProviderDownError, ProviderTimeoutError
from perfwright.llm import Request
from perfwright.llm.wire import HttpTransport
from perfwright.llm.wire.connection import Connection
from tests.llm.wire.servers import EVENTS_HEAD, answer, chat_chunk, event, serving

CHAT = Request(body={"model": "m", "messages": [{"role": "user", "content": "hi"}]})
LONG = Request(body={"model": "m", "messages": [{"role": "user", "content": "a" * (8 << 20)}]})


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close the connection at once, not when the server's task has its turn."""
    writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def eventually(is_so: Callable[[], bool]) -> bool:
    for _ in range(100):
        if is_so():
            return True
        await asyncio.sleep(0.01)
    return False


# --- Connections that the server has closed -------------------------------------------------------


def test_a_server_that_closes_after_each_answer_without_saying_so_is_called_well() -> None:
    async def main() -> tuple[int, int]:
        async with serving([answer(), hang_up, None]) as server:
            transport = HttpTransport(base_url=server.base_url)
            for _ in range(20):
                await transport.send(CHAT, timeout_s=5)
            await transport.aclose()
            return len(server.asked), server.connections

    assert asyncio.run(main()) == (20, 20)


def test_a_close_that_the_event_loop_has_not_seen_yet_is_noticed() -> None:
    async def main() -> int:
        there = socket.create_server(("127.0.0.1", 0))
        there.setblocking(False)
        loop = asyncio.get_running_loop()
        transport = HttpTransport(base_url=f"http://127.0.0.1:{there.getsockname()[1]}/v1")

        async def serve(calls: int) -> socket.socket:
            taken, _ = await loop.sock_accept(there)
            for _ in range(calls):
                await loop.sock_recv(taken, 65_536)
                await loop.sock_sendall(taken, answer())
            return taken

        async with asyncio.TaskGroup() as group:
            first = group.create_task(serve(1))
            await transport.send(CHAT, timeout_s=5)
        first.result().close()  # no turn of the loop between this and the next call
        async with asyncio.TaskGroup() as group:
            second = group.create_task(serve(2))
            await transport.send(CHAT, timeout_s=5)
            await transport.send(CHAT, timeout_s=5)
        second.result().close()
        await transport.aclose()
        there.close()
        return 2

    assert asyncio.run(main()) == 2


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("request_", [CHAT, LONG], ids=["short", "long"])
def test_a_request_that_came_after_the_servers_close_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, is_streamed: bool, request_: Request
) -> None:
    monkeypatch.setattr(
        Connection, "is_silent", property(lambda _: True)
    )  # the close is on its way

    async def main() -> tuple[int, int]:
        async with serving([answer(), hang_up, None]) as server:
            transport = HttpTransport(base_url=server.base_url)
            for _ in range(3):
                if is_streamed:
                    stream = await transport.open(request_, timeout_s=5)
                    assert [piece async for piece in stream]
                else:
                    await transport.send(request_, timeout_s=5)
            await transport.aclose()
            return len(server.asked), server.connections

    assert asyncio.run(main()) == (3, 3)


def test_a_request_that_the_server_has_taken_is_not_sent_again() -> None:
    async def main() -> tuple[int, int]:
        async with serving([answer()], [None], [answer()]) as server:
            transport = HttpTransport(base_url=server.base_url)
            await transport.send(CHAT, timeout_s=5)
            with pytest.raises(ProviderDownError, match="closed before an answer"):
                await transport.send(CHAT, timeout_s=5)
            await transport.aclose()
            return len(server.asked), server.connections

    assert asyncio.run(main()) == (2, 1)


def test_a_new_connection_that_dies_at_once_is_not_tried_again() -> None:
    async def main() -> int:
        taken = 0

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal taken
            taken += 1
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        transport = HttpTransport(base_url=f"http://127.0.0.1:{port}/v1")
        with pytest.raises(ProviderDownError):
            await transport.send(CHAT, timeout_s=5)
        await transport.aclose()
        server.close()
        return taken

    assert asyncio.run(main()) == 1


# --- Connections that are given up ----------------------------------------------------------------


async def with_deaf_server(work: Callable[[int], Awaitable[None]]) -> None:
    """A server that takes connections and reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as there:
        await work(there.getsockname()[1])


def test_a_request_that_a_deaf_server_does_not_take_is_let_go_with_its_socket() -> None:
    async def work(port: int) -> None:
        before = open_files()
        transport = HttpTransport(base_url=f"http://127.0.0.1:{port}/v1")
        for _ in range(3):
            with pytest.raises(ProviderTimeoutError):
                await transport.send(LONG, timeout_s=0.1)
        assert await eventually(lambda: open_files() <= before)
        await transport.aclose()

    asyncio.run(with_deaf_server(work))


def test_closing_lets_go_of_what_a_deaf_server_does_not_take() -> None:
    async def work(port: int) -> None:
        before = open_files()
        transport = HttpTransport(base_url=f"http://127.0.0.1:{port}/v1")
        async with asyncio.TaskGroup() as group:
            call = group.create_task(transport.send(LONG, timeout_s=20))
            await asyncio.sleep(0.05)
            await transport.aclose()
            with pytest.raises(ProviderDownError):
                await call
        assert await eventually(lambda: open_files() <= before)

    async def main() -> None:
        with pytest.raises(ExceptionGroup):
            await with_deaf_server(work)

    asyncio.run(main())


def test_a_proxy_that_never_opens_its_tunnel_is_let_go_with_its_socket() -> None:
    async def work(port: int) -> None:
        before = open_files()
        transport = HttpTransport(
            base_url="https://example.test/v1", proxy=f"http://127.0.0.1:{port}"
        )
        for _ in range(3):
            with pytest.raises(ProviderTimeoutError):
                await transport.send(CHAT, timeout_s=0.05)
        assert await eventually(lambda: open_files() <= before + 1)  # one is the TLS context's
        await transport.aclose()

    asyncio.run(with_deaf_server(work))


def test_a_stream_that_is_closed_early_gives_its_socket_back() -> None:
    async def main() -> None:
        async with serving([EVENTS_HEAD, event(chat_chunk("a")), 5.0]) as server:
            transport = HttpTransport(base_url=server.base_url)
            stream = await transport.open(CHAT, timeout_s=5)
            await anext(aiter(stream))
            before = open_files()
            await stream.aclose()
            assert await eventually(lambda: open_files() < before)
            await transport.aclose()

    asyncio.run(main())


def test_closing_while_connections_are_being_warmed_leaves_none_open() -> None:
    async def main() -> None:
        async with serving([answer()]) as server:
            transport = HttpTransport(base_url=server.base_url)
            async with asyncio.TaskGroup() as group:
                group.create_task(transport.warm(3))
                await asyncio.sleep(0)
                await transport.aclose()
            assert await eventually(lambda: server.closed == server.connections)

    asyncio.run(main())


# --- Connections that nobody uses -----------------------------------------------------------------


def test_connections_that_nobody_uses_are_closed_without_another_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("perfwright.llm.wire.pool.IDLE_S", 0.1)

    async def main() -> None:
        async with serving([0.02, answer()]) as server:
            transport = HttpTransport(base_url=server.base_url)
            async with asyncio.TaskGroup() as group:
                for _ in range(8):
                    group.create_task(transport.send(CHAT, timeout_s=5))
            assert (server.connections, server.closed) == (8, 0)
            assert await eventually(lambda: server.closed == 8)
            await transport.aclose()

    asyncio.run(main())


def test_the_connections_that_a_few_calls_do_not_need_age_and_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("perfwright.llm.wire.pool.IDLE_S", 0.15)

    async def main() -> None:
        async with serving([0.02, answer()]) as server:
            transport = HttpTransport(base_url=server.base_url)
            await transport.warm(6)
            for _ in range(15):
                await transport.send(CHAT, timeout_s=5)
            assert await eventually(lambda: server.closed == 5)
            await transport.send(CHAT, timeout_s=5)
            assert server.connections == 6
            await transport.aclose()

    asyncio.run(main())
