"""An answer in the forms of the interfaces: whole, and as the events of a stream."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from perfwright.llm.replies import Usage
from perfwright.llm.requests import Api
from perfwright.llm.testing.answers import Answer

_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
DONE = b"data: [DONE]\n\n"
_encode = msgspec.json.Encoder().encode


def whole(api: Api, answer: Answer) -> dict[str, Any]:
    """Return the body of an answer that is not streamed."""
    match api:
        case Api.MESSAGES:
            return _message(answer)
        case Api.RESPONSES:
            return _response(answer)
        case Api.EMBEDDINGS:
            return _embeddings(answer)
        case Api.CHAT:
            return _chat(answer)


def events(
    api: Api, answer: Answer, *, chunk_tokens: int, with_usage: bool
) -> Iterator[tuple[int, bytes]]:
    """Yield the events of a stream, each with the number of tokens it brings."""
    match api:
        case Api.MESSAGES:
            return _message_events(answer, chunk_tokens)
        case Api.RESPONSES:
            return _response_events(answer, chunk_tokens)
        case _:
            return _chat_events(answer, chunk_tokens, with_usage=with_usage)


def error(api: Api, *, status: int, text: str, field: str | None = None) -> dict[str, Any]:
    """Return the body of a refusal."""
    kind = _ERRORS.get(status, "server_error")
    if api is Api.MESSAGES:
        kind = "api_error" if kind == "server_error" else kind
        return {"type": "error", "error": {"type": kind, "message": text}}
    code = {401: "invalid_api_key", 429: "rate_limit_exceeded"}.get(status)
    return {"error": {"message": text, "type": kind, "param": field, "code": code}}


def models(names: Iterable[str]) -> dict[str, Any]:
    """Return the list of models."""
    data = [
        {"id": name, "object": "model", "created": 0, "owned_by": "perfwright"} for name in names
    ]
    return {"object": "list", "data": data}


def _chunks(answer: Answer, size: int) -> Iterator[tuple[int, str]]:
    tokens = answer.content.tokens
    for start in range(0, len(tokens), size):
        part = tokens[start : start + size]
        yield len(part), "".join(part)


# --- Chat Completions -----------------------------------------------------------------------------


def chat_usage(usage: Usage) -> dict[str, Any]:
    """Return usage as Chat Completions and Embeddings have it."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _call_id(answer: Answer) -> str:
    return f"call_{answer.id.rpartition('-')[2]}"


def _chat(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.content.text, "refusal": None}
    if answer.content.tool:
        function = {"name": answer.content.tool, "arguments": answer.content.text}
        call = {"id": _call_id(answer), "type": "function", "function": function}
        message |= {"content": None, "tool_calls": [call]}
    choice = {"message": message, "logprobs": None, "finish_reason": _chat_end(answer)}
    return {
        "id": answer.id,
        "object": "chat.completion",
        "created": answer.created,
        "model": answer.model,
        "choices": [{"index": index, **choice} for index in range(answer.choices)],
        "usage": chat_usage(answer.usage),
    }


def _chat_end(answer: Answer) -> str:
    if answer.content.is_cut:
        return "length"
    return "tool_calls" if answer.content.tool else "stop"


def _chat_events(answer: Answer, size: int, *, with_usage: bool) -> Iterator[tuple[int, bytes]]:
    base = {
        "id": answer.id,
        "object": "chat.completion.chunk",
        "created": answer.created,
        "model": answer.model,
    }
    if with_usage:
        base["usage"] = None

    def event(delta: dict[str, Any], *, choice: int, end: str | None = None) -> bytes:
        one = {"index": choice, "delta": delta, "logprobs": None, "finish_reason": end}
        return b"data: " + _encode({**base, "choices": [one]}) + b"\n\n"

    for choice in range(answer.choices):
        yield 0, event(_chat_opening(answer), choice=choice)
        for count, text in _chunks(answer, size):
            delta: dict[str, Any] = {"content": text}
            if answer.content.tool:
                delta = {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
            yield count, event(delta, choice=choice)
        yield 0, event({}, choice=choice, end=_chat_end(answer))
    if with_usage:
        yield (
            0,
            b"data: "
            + _encode({**base, "choices": [], "usage": chat_usage(answer.usage)})
            + b"\n\n",
        )
    yield 0, DONE


def _chat_opening(answer: Answer) -> dict[str, Any]:
    if not answer.content.tool:
        return {"role": "assistant", "content": ""}
    function = {"name": answer.content.tool, "arguments": ""}
    call = {"index": 0, "id": _call_id(answer), "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _embeddings(answer: Answer) -> dict[str, Any]:
    data: list[dict[str, Any]] = []
    embedded = answer.embedded
    for index, vector in enumerate(embedded.vectors() if embedded else ()):
        shown: Any = vector
        if embedded and embedded.as_base64:
            shown = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": shown})
    used = answer.usage.prompt_tokens
    usage = {"prompt_tokens": used, "total_tokens": used}
    return {"object": "list", "model": answer.model, "data": data, "usage": usage}


# --- Responses ------------------------------------------------------------------------------------


def _response(answer: Answer) -> dict[str, Any]:
    usage = answer.usage
    return {
        "id": answer.id,
        "object": "response",
        "created_at": answer.created,
        "model": answer.model,
        "status": "incomplete" if answer.content.is_cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if answer.content.is_cut else None,
        "error": None,
        "output": [_item(answer, text=answer.content.text, status="completed")],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": usage.prompt_tokens,
            "input_tokens_details": {"cached_tokens": usage.cached_tokens},
            "output_tokens": usage.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
            "total_tokens": usage.total_tokens,
        },
    }


def _item(answer: Answer, *, text: str, status: str) -> dict[str, Any]:
    if answer.content.tool:
        return {
            "id": f"fc_{answer.id}",
            "type": "function_call",
            "call_id": _call_id(answer),
            "name": answer.content.tool,
            "arguments": text,
            "status": status,
        }
    part = {"type": "output_text", "text": text, "annotations": []}
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [part] if text else [],
    }


def _response_events(answer: Answer, size: int) -> Iterator[tuple[int, bytes]]:
    number = 0

    def event(kind: str, **facts: Any) -> bytes:
        nonlocal number
        data = _encode({"type": kind, "sequence_number": number, **facts})
        number += 1
        return f"event: {kind}\ndata: ".encode() + data + b"\n\n"

    final = _response(answer)
    opening: dict[str, Any] = {**final, "status": "in_progress", "output": [], "usage": None}
    yield 0, event("response.created", response=opening)
    item = _item(answer, text="", status="in_progress")
    yield 0, event("response.output_item.added", output_index=0, item=item)
    place: dict[str, Any] = {"item_id": item["id"], "output_index": 0}
    kind = "response.function_call_arguments"
    done: dict[str, Any] = {"arguments": answer.content.text}
    if not answer.content.tool:
        kind, done = "response.output_text", {"text": answer.content.text, "logprobs": []}
        place |= {"content_index": 0}
        part = {"type": "output_text", "text": "", "annotations": []}
        yield 0, event("response.content_part.added", **place, part=part)
    for count, text in _chunks(answer, size):
        more: dict[str, Any] = {} if answer.content.tool else {"logprobs": []}
        yield count, event(f"{kind}.delta", **place, delta=text, **more)
    yield 0, event(f"{kind}.done", **place, **done)
    if not answer.content.tool:
        part = {"type": "output_text", "text": answer.content.text, "annotations": []}
        yield 0, event("response.content_part.done", **place, part=part)
    yield 0, event("response.output_item.done", output_index=0, item=final["output"][0])
    yield 0, event(f"response.{final['status']}", response=final)


# --- Anthropic's Messages -------------------------------------------------------------------------


def _message_usage(usage: Usage) -> dict[str, Any]:
    cached = usage.cached_tokens + usage.cache_write_tokens
    return {
        "input_tokens": usage.prompt_tokens - cached,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "output_tokens": usage.completion_tokens,
    }


def _message_end(answer: Answer) -> str:
    if answer.content.is_cut:
        return "max_tokens"
    return "tool_use" if answer.content.tool else "end_turn"


def _message(answer: Answer) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": answer.content.text}
    if answer.content.tool:
        given = {} if answer.content.is_cut else msgspec.json.decode(answer.content.text)
        block = {
            "type": "tool_use",
            "id": _call_id(answer),
            "name": answer.content.tool,
            "input": given,
        }
    return {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [block],
        "stop_reason": _message_end(answer),
        "stop_sequence": None,
        "usage": _message_usage(answer.usage),
    }


def _message_events(answer: Answer, size: int) -> Iterator[tuple[int, bytes]]:
    def event(kind: str, **facts: Any) -> bytes:
        return f"event: {kind}\ndata: ".encode() + _encode({"type": kind, **facts}) + b"\n\n"

    final = _message(answer)
    opening = {**final, "content": [], "stop_reason": None}
    opening["usage"] = {**final["usage"], "output_tokens": 1}
    yield 0, event("message_start", message=opening)
    empty: dict[str, Any] = {"input": {}} if answer.content.tool else {"text": ""}
    block = final["content"][0] | empty
    yield 0, event("content_block_start", index=0, content_block=block)
    for count, text in _chunks(answer, size):
        delta = {"type": "text_delta", "text": text}
        if answer.content.tool:
            delta = {"type": "input_json_delta", "partial_json": text}
        yield count, event("content_block_delta", index=0, delta=delta)
    yield 0, event("content_block_stop", index=0)
    end = {"stop_reason": final["stop_reason"], "stop_sequence": None}
    used = {"output_tokens": answer.usage.completion_tokens}
    yield 0, event("message_delta", delta=end, usage=used)
    yield 0, event("message_stop")
