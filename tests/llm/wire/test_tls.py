"""TLS, straight and through a proxy's tunnel, with a certificate made on the spot."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from perfwright.core import ProviderDownError, ProviderRefusedError
from perfwright.llm import Reply, Request
from perfwright.llm.wire import HttpTransport
from perfwright.llm.wire.connection import Connection
from tests.llm.wire.servers import ANSWER, answer

CHAT = Request(body={"model": "m", "messages": []})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl program is not installed")
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "cert.pem"
    wish = (
        f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key} -out {made} "
        "-days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    )
    subprocess.run(["openssl", *wish.split()], check=True, capture_output=True, timeout=20)
    return key, made


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


def called(
    certificate: tuple[Path, Path],
    *,
    is_known: bool = True,
    proxy_answer: bytes | None = None,
    calls: int = 1,
) -> tuple[list[Reply], list[bytes]]:
    """Call a TLS server, through a proxy if its answer is given; also return what it was asked."""
    key, made = certificate
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(made, key)
    ours = ssl.create_default_context(cafile=str(made)) if is_known else None
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                await reader.readexactly(size)
                writer.write(answer())
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> list[Reply]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=theirs)
        port = server.sockets[0].getsockname()[1]

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(proxy_answer or b"")
            there = await asyncio.open_connection("127.0.0.1", port)
            async with asyncio.TaskGroup() as group:
                group.create_task(relay(reader, there[1]))
                group.create_task(relay(there[0], writer))

        proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
        via = f"http://me:pw@127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        transport = HttpTransport(
            base_url=f"https://127.0.0.1:{port}/v1",
            ssl_context=ours,
            proxy=via if proxy_answer is not None else None,
        )
        try:
            return [await transport.send(CHAT, timeout_s=10) for _ in range(calls)]
        finally:
            await transport.aclose()
            await asyncio.sleep(0.05)  # TLS says good-bye on both sides
            server.close()
            proxy.close()

    return asyncio.run(main()), heads


def test_a_server_with_tls_is_called(certificate: tuple[Path, Path]) -> None:
    replies, _ = called(certificate, calls=2)
    assert [reply.payload for reply in replies] == [ANSWER, ANSWER]


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: tuple[Path, Path]) -> None:
    with pytest.raises(ProviderRefusedError, match="certificate is not trusted") as refused:
        called(certificate, is_known=False)
    assert not refused.value.is_transient


def test_a_proxy_opens_a_tunnel(certificate: tuple[Path, Path]) -> None:
    replies, heads = called(certificate, proxy_answer=b"HTTP/1.1 200 Connected\r\n\r\n", calls=2)
    assert [reply.payload for reply in replies] == [ANSWER, ANSWER]
    (head,) = heads
    assert head.startswith(b"CONNECT 127.0.0.1:")
    assert b"proxy-authorization: Basic bWU6cHc=\r\n" in head
    assert json.dumps(CHAT.body).encode() not in head


def test_a_proxy_that_opens_no_tunnel_is_named(certificate: tuple[Path, Path]) -> None:
    refusal = b"HTTP/1.1 407 Authentication Required\r\ncontent-length: 0\r\n\r\n"
    with pytest.raises(ProviderDownError, match=r"proxy refused a tunnel.*407"):
        called(certificate, proxy_answer=refusal)


def test_a_tunnel_to_an_address_of_ipv6_is_asked_for_in_brackets() -> None:
    asked: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async def main() -> None:
        proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
        via = f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        transport = HttpTransport(base_url="https://[2001:db8::1]:8443/v1", proxy=via)
        with pytest.raises(ProviderDownError, match=r"tunnel to \[2001:db8::1\]:8443"):
            await transport.send(CHAT, timeout_s=5)
        proxy.close()

    asyncio.run(main())
    assert asked[0].startswith(
        b"CONNECT [2001:db8::1]:8443 HTTP/1.1\r\nhost: [2001:db8::1]:8443\r\n"
    )


@pytest.mark.parametrize("is_seen_in_time", [True, False])
def test_tls_connections_are_used_again_unless_the_server_has_closed_them(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, is_seen_in_time: bool
) -> None:
    if not is_seen_in_time:
        monkeypatch.setattr(Connection, "is_silent", property(lambda _: True))
    key, made = certificate
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(made, key)
    taken: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(0)
        for _ in range(3):
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(size)
            taken[-1] += 1
            writer.write(answer())
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=theirs)
        transport = HttpTransport(
            base_url=f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1",
            ssl_context=ssl.create_default_context(cafile=str(made)),
        )
        for _ in range(9):
            await transport.send(CHAT, timeout_s=5)
        await transport.aclose()
        server.close()

    asyncio.run(main())
    assert taken == [3, 3, 3]
