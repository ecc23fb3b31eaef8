"""The events of Anthropic's stream as chunks of a chat's: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perfwright.llm.wire.anthropic import chat_usage, finish_reason


class ChatFromMessages:
    """Feed it the events in their order; it returns the chunks that they are."""

    def __init__(self) -> None:
        self._common: dict[str, Any] = {"object": "chat.completion.chunk", "created": 0}
        self._usage: dict[str, Any] = {}
        self._calls: dict[int, int] = {}
        """Of each block that is a tool's call: which call it is."""
        self._silent: set[int] = set()
        """Calls of which no argument has come."""

    def feed(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the chunks of one event; none for those that say nothing in chat's terms."""
        match event.get("type"):
            case "message_start":
                return self._begin(event.get("message") or {})
            case "content_block_start":
                return self._begin_block(_index(event), event.get("content_block") or {})
            case "content_block_delta":
                return self._go_on(_index(event), event.get("delta") or {})
            case "content_block_stop":
                return self._end_block(_index(event))
            case "message_delta":
                self._count(event.get("usage"))
                reason = finish_reason((event.get("delta") or {}).get("stop_reason"))
                return [self._chunk({}, finish_reason=reason)] if reason else []
            case "message_stop" if self._usage:
                return [{**self._common, "choices": [], "usage": chat_usage(self._usage)}]
            case _:
                return []

    def finish(self) -> list[dict[str, Any]]:
        """Return what is left to say at the end: nothing, it was said with the last event."""
        return []

    def _begin(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        self._common |= {"id": message.get("id"), "model": message.get("model")}
        self._count(message.get("usage"))
        return [self._chunk({"role": "assistant", "content": None})]

    def _begin_block(self, index: int, block: Mapping[str, Any]) -> list[dict[str, Any]]:
        match block.get("type"):
            case "text":
                return [self._chunk({"content": block.get("text") or ""})]
            case "tool_use":
                call = self._calls[index] = len(self._calls)
                self._silent.add(call)
                function = {"name": block.get("name"), "arguments": ""}
                begun = {"index": call, "id": block.get("id"), "type": "function"}
                return [self._chunk({"tool_calls": [{**begun, "function": function}]})]
            case "thinking" | "redacted_thinking":
                return [self._chunk({"thinking_blocks": [{**block, "index": index}]})]
            case _:
                return []

    def _go_on(self, index: int, delta: Mapping[str, Any]) -> list[dict[str, Any]]:
        match delta.get("type"):
            case "text_delta":
                return [self._chunk({"content": delta.get("text") or ""})]
            case "input_json_delta" if index in self._calls:
                return self._arguments(self._calls[index], delta.get("partial_json") or "")
            case "thinking_delta":
                text = delta.get("thinking") or ""
                block = {"index": index, "thinking": text}
                return [self._chunk({"reasoning_content": text, "thinking_blocks": [block]})]
            case "signature_delta":
                block = {"index": index, "signature": delta.get("signature") or ""}
                return [self._chunk({"thinking_blocks": [block]})]
            case _:
                return []

    def _end_block(self, index: int) -> list[dict[str, Any]]:
        """A call without arguments has said nothing so far; in chat it says that there are none."""
        call = self._calls.get(index)
        return self._arguments(call, "{}") if call is not None and call in self._silent else []

    def _arguments(self, call: int, part: str) -> list[dict[str, Any]]:
        if not part:
            return []
        self._silent.discard(call)
        return [self._chunk({"tool_calls": [{"index": call, "function": {"arguments": part}}]})]

    def _count(self, usage: Mapping[str, Any] | None) -> None:
        """The first event counts the prompt, a later one the answer; a later count is the truer."""
        self._usage |= {name: value for name, value in (usage or {}).items() if value is not None}

    def _chunk(self, delta: dict[str, Any], *, finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**self._common, "choices": [choice]}


def _index(event: Mapping[str, Any]) -> int:
    return event.get("index") or 0
