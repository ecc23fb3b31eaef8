"""An answer as it is kept: bytes, so that nobody who changes what they got changes the cache."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from perfwright.llm.replies import Usage
from perfwright.llm.requests import Api, Request

_Record = tuple[bytes, tuple[int, int, int, int, int] | None, str, bytes]
"""Body, usage in the order of `Usage`, endpoint, sizes as 32-bit numbers."""

_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder().decode
_encode_record = msgspec.msgpack.Encoder().encode
_decode_record = msgspec.msgpack.Decoder(_Record).decode

_FINISHED = frozenset(
    {"stop", "tool_calls", "function_call", "end_turn", "stop_sequence", "tool_use"}
)
_BOUNDED = frozenset({"length", "max_tokens"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An answer with what is needed to give it again."""

    payload: dict[str, Any]
    """In the form of the request's `Api`, not streamed."""
    usage: Usage | None
    endpoint: str = ""
    """Name of the endpoint that answered."""
    piece_sizes: Sequence[int] = ()
    """Characters of each piece of text, in their order; empty if it did not come as a stream."""
    raw: bytes | None = None
    """`payload` as JSON, where it is at hand."""
    is_substitute: bool = False
    """Another model's than was asked, because that one was down: not kept."""

    def pack(self) -> bytes:
        """Return it as bytes, about as long as the JSON of the payload."""
        usage = self.usage
        counts = usage and (
            usage.prompt_tokens,
            usage.cached_tokens,
            usage.cache_write_tokens,
            usage.completion_tokens,
            usage.reasoning_tokens,
        )
        body = self.raw if self.raw is not None else _encode_json(self.payload)
        sizes = array("I", self.piece_sizes).tobytes()
        return _encode_record((body, counts, self.endpoint, sizes))

    @classmethod
    def unpack(cls, record: bytes) -> Stored:
        """Return what `pack` was called on; the payload is a fresh copy each time."""
        body, counts, endpoint, packed_sizes = _decode_record(record)
        sizes = array("I")
        sizes.frombytes(packed_sizes)
        usage = None
        if counts is not None:
            prompt, cached, written, completion, reasoning = counts
            usage = Usage(
                prompt_tokens=prompt,
                cached_tokens=cached,
                cache_write_tokens=written,
                completion_tokens=completion,
                reasoning_tokens=reasoning,
            )
        return cls(
            payload=_decode_json(body),
            usage=usage,
            endpoint=endpoint,
            piece_sizes=sizes,
            raw=body,
        )


def keeps(request: Request, stored: Stored) -> bool:
    """Say whether an answer is one that the same request may get again."""
    return not stored.is_substitute and is_kept(request, stored.payload)


def is_kept(request: Request, payload: Mapping[str, Any]) -> bool:
    """Say whether an answer is one that the same request may get again.

    An answer that was cut at the caller's own bound is: the bound is part of the key. One that was
    cut by the provider, filtered, refused, paused, failed or is empty may come out better next
    time.
    """
    if payload.get("error"):
        return False
    match request.api:
        case Api.EMBEDDINGS:
            return bool(payload.get("data"))
        case Api.CHAT:
            choices = payload.get("choices") or ()
            return bool(choices) and all(_is_whole_choice(request, choice) for choice in choices)
        case Api.MESSAGES:
            return bool(payload.get("content")) and _is_whole(request, payload.get("stop_reason"))
        case Api.RESPONSES:
            return bool(payload.get("output")) and _is_whole_response(request, payload)


def _is_whole_choice(request: Request, choice: Mapping[str, Any]) -> bool:
    message = choice.get("message") or {}
    has_answer = any(
        message.get(part) for part in ("content", "tool_calls", "function_call", "audio")
    )
    return has_answer and _is_whole(request, choice.get("finish_reason"))


def _is_whole(request: Request, reason: object) -> bool:
    if reason in _BOUNDED:
        return request.max_completion_tokens is not None
    return reason is None or reason in _FINISHED  # None: servers that leave it out


def _is_whole_response(request: Request, payload: Mapping[str, Any]) -> bool:
    status = payload.get("status")
    if status == "incomplete":
        why = (payload.get("incomplete_details") or {}).get("reason")
        return why == "max_output_tokens" and request.max_completion_tokens is not None
    return status in (None, "completed")
