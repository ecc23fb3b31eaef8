from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from perfwright.core import (
    BadAnswerError,
    ProviderDownError,
    ProviderError,
    ProviderRefusedError,
    ProviderTimeoutError,
)
from perfwright.llm import Api
from perfwright.llm.bulk import batch_link
from perfwright.llm.bulk.batch_apis import AnthropicBatches, BatchItem, OpenAIBatches
from perfwright.llm.bulk.batch_link import BatchLink


def get(answer: bytes | None, *, status: int = 200) -> dict[str, Any]:
    """Ask a server that sends `answer`, or nothing at all."""

    async def main() -> dict[str, Any]:
        is_over = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            if answer is not None:
                head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(answer)}\r\n\r\n"
                writer.write(head.encode() + answer)
            await reader.read()  # until it hangs up
            writer.close()
            await writer.wait_closed()
            is_over.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        address = f"http://127.0.0.1:{port}/v1"
        async with server:
            try:
                async with BatchLink(address, api_key="sk-1", form="openai", name="e") as link:
                    return await link.get("/batches/b")
            finally:
                await is_over.wait()

    return asyncio.run(main())


def test_an_object_is_returned() -> None:
    assert get(b'{"id": "b"}') == {"id": "b"}


@pytest.mark.parametrize("answer", [b"<html>", b"[1]", b""])
def test_what_is_no_object_is_a_bad_answer(answer: bytes) -> None:
    with pytest.raises(BadAnswerError, match="no JSON object"):
        get(answer)


@pytest.mark.parametrize(
    ("status", "kind"), [(404, ProviderRefusedError), (503, ProviderDownError)]
)
def test_a_bad_status_is_its_error(status: int, kind: type[ProviderError]) -> None:
    with pytest.raises(kind, match=r"the key \*\*\* is odd"):
        get(b'{"error": {"message": "the key sk-1 is odd"}}', status=status)


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_link, "_TIMEOUT_S", 0.05)
    with pytest.raises(ProviderTimeoutError, match=r"within 0\.05 s"):
        get(None)


def test_a_server_that_is_not_there_is_down() -> None:
    async def main() -> None:
        async with BatchLink("http://127.0.0.1:1", api_key=None, form="openai", name="e") as link:
            await link.get("/batches/b")

    with pytest.raises(ProviderDownError):
        asyncio.run(main())


def test_a_link_that_was_not_entered_says_so() -> None:
    link = BatchLink("http://127.0.0.1:1", api_key=None, form="openai", name="e")
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(link.get("/batches/b"))


class Canned:
    """A link whose answers are written out."""

    def __init__(self, lines: list[dict[str, Any]], **facts: Any) -> None:
        self._lines, self._facts = lines, facts

    async def get(self, path: str) -> dict[str, Any]:
        return self._facts

    async def get_lines(self, path: str) -> list[dict[str, Any]]:
        return self._lines


def items(found: Coroutine[Any, Any, list[BatchItem]]) -> list[tuple[str, int | None, str]]:
    return [(item.name, item.status, item.problem) for item in asyncio.run(found)]


def test_each_way_in_which_a_message_of_a_batch_can_fail_is_told_apart() -> None:
    refused = {"error": {"type": "invalid_request_error", "message": "too long"}}
    overloaded = {"error": {"type": "overloaded_error", "message": "busy"}}
    lines: list[dict[str, Any]] = [
        {"custom_id": "a", "result": {"type": "errored", "error": refused}},
        {"custom_id": "b", "result": {"type": "errored", "error": overloaded}},
        {"custom_id": "c", "result": {"type": "expired"}},
        {"custom_id": "d", "result": {"type": "canceled"}},
    ]
    api = AnthropicBatches(Canned(lines))  # type: ignore[arg-type]
    assert items(api.items("batch", api={"a": Api.CHAT})) == [
        ("a", 400, "too long"),
        ("b", None, "busy"),
        ("c", None, "expired"),
        ("d", None, "canceled"),
    ]


def test_each_way_in_which_a_line_of_a_batch_can_fail_is_told_apart() -> None:
    refused = {"status_code": 400, "body": {"error": {"message": "too long"}}}
    expired = {"code": "batch_expired", "message": "not done in time"}
    lines: list[dict[str, Any]] = [
        {"custom_id": "a", "response": refused, "error": None},
        {"custom_id": "b", "response": None, "error": expired},
    ]
    api = OpenAIBatches(Canned(lines, error_file_id="f"))  # type: ignore[arg-type]
    assert items(api.items("batch", api={})) == [
        ("a", 400, "too long"),
        ("b", None, "not done in time"),
    ]
