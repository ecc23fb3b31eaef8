"""The chunks of a chat's stream as Anthropic's events: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from perfwright.llm.wire.openai_chat import message_usage, stop_reason


class MessagesFromChat:
    """Feed it the chunks of the first choice in their order; `finish` once they are all there."""

    def __init__(self) -> None:
        self._has_begun = False
        self._open: dict[str, int] = {}
        """Blocks that are not closed, by what they hold: `text`, `thinking`, or which call."""
        self._count = 0
        self._reason: str | None = None
        self._usage: Mapping[str, Any] = {}

    def feed(self, chunk: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the events of one chunk."""
        return list(self._events(chunk))

    def finish(self) -> list[dict[str, Any]]:
        """Return the events that end the message."""
        end = {"stop_reason": stop_reason(self._reason), "stop_sequence": None}
        return [
            *self._closed(),
            {"type": "message_delta", "delta": end, "usage": message_usage(self._usage)},
            {"type": "message_stop"},
        ]

    def _events(self, chunk: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        self._usage = chunk.get("usage") or self._usage
        if not self._has_begun:
            self._has_begun = True
            yield {"type": "message_start", "message": _begun(chunk)}
        for choice in chunk.get("choices") or ():
            if not choice.get("index"):
                self._reason = choice.get("finish_reason") or self._reason
                yield from self._parts(choice.get("delta") or {})

    def _parts(self, delta: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            yield from self._opened("thinking", {"thinking": "", "signature": ""})
            yield self._delta("thinking", {"type": "thinking_delta", "thinking": thought})
        if text := delta.get("content") or delta.get("refusal"):
            yield from self._opened("text", {"text": ""})
            yield self._delta("text", {"type": "text_delta", "text": text})
        for call in delta.get("tool_calls") or ():
            which = f"call {call.get('index') or 0}"
            function = call.get("function") or {}
            begun = {"id": call.get("id"), "name": function.get("name"), "input": {}}
            yield from self._opened(which, {"type": "tool_use", **begun})
            if part := function.get("arguments"):
                yield self._delta(which, {"type": "input_json_delta", "partial_json": part})

    def _opened(self, which: str, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Begin a block, unless it has begun; calls may come mixed, so they close at the end."""
        if which in self._open:
            return
        if not which.startswith("call"):
            yield from self._closed()
        self._open[which] = index = self._count
        self._count += 1
        whole = {"type": which, **block}
        yield {"type": "content_block_start", "index": index, "content_block": whole}

    def _closed(self) -> Iterator[dict[str, Any]]:
        for index in self._open.values():
            yield {"type": "content_block_stop", "index": index}
        self._open.clear()

    def _delta(self, which: str, delta: dict[str, Any]) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": self._open[which], "delta": delta}


def _begun(chunk: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": chunk.get("id"),
        "type": "message",
        "role": "assistant",
        "model": chunk.get("model"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }
