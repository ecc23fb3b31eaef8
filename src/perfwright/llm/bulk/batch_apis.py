"""Batches of the two forms: how they are sent, looked after, and read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from perfwright.llm.bulk.batch_link import BatchLink
from perfwright.llm.requests import Api, Request
from perfwright.llm.wire.anthropic import chat_from_message, request_to_messages

_HOW_IT_COMES = ("stream", "stream_options")
_PATHS = {
    Api.CHAT: "/v1/chat/completions",
    Api.RESPONSES: "/v1/responses",
    Api.EMBEDDINGS: "/v1/embeddings",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """What became of one request of a batch."""

    name: str
    payload: dict[str, Any] | None
    """The answer, in the form of the request's interface."""
    status: int | None = None
    """Of HTTP, where the provider says why there is no answer."""
    problem: str = ""


class BatchApi(Protocol):
    """A provider's interface for batches."""

    max_requests: int
    max_bytes: int

    def kind_of(self, request: Request) -> str:
        """Return what a batch's requests must have in common; empty if it takes no such request."""

    def line(self, name: str, request: Request) -> bytes:
        """Return a request as it travels in a batch."""

    async def submit(self, lines: Sequence[bytes], *, kind: str) -> str:
        """Send a batch; returns the provider's name of it."""

    async def is_over(self, name: str) -> bool:
        """Return whether nothing more will come of a batch."""

    async def items(self, name: str, *, api: Mapping[str, Api]) -> list[BatchItem]:
        """Return what became of a batch's requests, as far as there is something.

        Args:
            name: Of the batch.
            api: The interface of each request, by its name.
        """

    async def cancel(self, name: str) -> None:
        """Ask the provider to stop; what is answered by then is kept, and paid."""


class OpenAIBatches:
    """`/files` and `/batches`, as OpenAI and those who follow it have them."""

    max_requests = 50_000
    max_bytes = 200_000_000

    def __init__(self, link: BatchLink) -> None:
        import msgspec

        self._link = link
        self._encode = msgspec.json.Encoder().encode

    def kind_of(self, request: Request) -> str:
        """A batch has one interface, and one model."""
        path = _PATHS.get(request.api)
        return f"{path} {request.model}" if path else ""

    def line(self, name: str, request: Request) -> bytes:
        """One line of the file that is uploaded."""
        url = _PATHS[request.api]
        return self._encode(
            {"custom_id": name, "method": "POST", "url": url, "body": _body(request)}
        )

    async def submit(self, lines: Sequence[bytes], *, kind: str) -> str:
        """Upload the file, and start its batch."""
        content = b"\n".join(lines) + b"\n"
        file = await self._link.upload("/files", content, name="batch.jsonl", purpose="batch")
        path = kind.partition(" ")[0]
        asked = {"input_file_id": file["id"], "endpoint": path, "completion_window": "24h"}
        return str((await self._link.post("/batches", asked))["id"])

    async def is_over(self, name: str) -> bool:
        """Whether its status is a last one."""
        facts = await self._link.get(f"/batches/{name}")
        return facts.get("status") in ("completed", "failed", "expired", "cancelled")

    async def items(self, name: str, *, api: Mapping[str, Api]) -> list[BatchItem]:
        """Read the file of answers and the one of errors."""
        facts = await self._link.get(f"/batches/{name}")
        files = (facts.get("output_file_id"), facts.get("error_file_id"))
        found = [await self._link.get_lines(f"/files/{file}/content") for file in files if file]
        return [_openai_item(line) for lines in found for line in lines]

    async def cancel(self, name: str) -> None:
        """Ask for its end."""
        await self._link.post(f"/batches/{name}/cancel")


class AnthropicBatches:
    """`/messages/batches`; chat requests are translated, and their answers back."""

    max_requests = 100_000
    max_bytes = 256_000_000

    def __init__(self, link: BatchLink) -> None:
        import msgspec

        self._link = link
        self._encode = msgspec.json.Encoder().encode

    def kind_of(self, request: Request) -> str:
        """Any messages may share a batch."""
        return "messages" if request.api in (Api.CHAT, Api.MESSAGES) else ""

    def line(self, name: str, request: Request) -> bytes:
        """One entry of the body's list."""
        body = _body(request)
        params = request_to_messages(body) if request.api is Api.CHAT else body
        return self._encode({"custom_id": name, "params": params})

    async def submit(self, lines: Sequence[bytes], *, kind: str) -> str:
        """Start a batch, all of it in one body."""
        import msgspec

        asked = [msgspec.Raw(line) for line in lines]
        return str((await self._link.post("/messages/batches", {"requests": asked}))["id"])

    async def is_over(self, name: str) -> bool:
        """Whether its processing has ended."""
        facts = await self._link.get(f"/messages/batches/{name}")
        return facts.get("processing_status") == "ended"

    async def items(self, name: str, *, api: Mapping[str, Api]) -> list[BatchItem]:
        """Read its results."""
        # Not from `results_url`: the key goes to the address that it was given for, and no other.
        lines = await self._link.get_lines(f"/messages/batches/{name}/results")
        return list(_anthropic_items(lines, api=api))

    async def cancel(self, name: str) -> None:
        """Ask for its end."""
        await self._link.post(f"/messages/batches/{name}/cancel")


def batch_api(link: BatchLink) -> BatchApi:
    """Return the interface that goes with a link's form."""
    return AnthropicBatches(link) if link.form == "anthropic" else OpenAIBatches(link)


def _body(request: Request) -> dict[str, Any]:
    return {name: value for name, value in request.body.items() if name not in _HOW_IT_COMES}


def _openai_item(line: Mapping[str, Any]) -> BatchItem:
    name, response = str(line.get("custom_id")), line.get("response") or {}
    status, body = response.get("status_code"), response.get("body") or {}
    if status == 200:
        return BatchItem(name=name, payload=body)
    error = line.get("error") or body.get("error") or {}
    return BatchItem(name=name, payload=None, status=status, problem=str(error.get("message", "")))


def _anthropic_items(
    lines: Sequence[Mapping[str, Any]], *, api: Mapping[str, Api]
) -> Iterator[BatchItem]:
    for line in lines:
        name, result = str(line.get("custom_id")), line.get("result") or {}
        if result.get("type") == "succeeded":
            message = result["message"]
            payload = chat_from_message(message) if api.get(name) is Api.CHAT else message
            yield BatchItem(name=name, payload=payload)
            continue
        error = (result.get("error") or {}).get("error") or result.get("error") or {}
        refused = error.get("type") == "invalid_request_error"
        problem = str(error.get("message") or result.get("type"))
        yield BatchItem(name=name, payload=None, status=400 if refused else None, problem=problem)
