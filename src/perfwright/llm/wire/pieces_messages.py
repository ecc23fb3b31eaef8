"""Anthropic's messages whole and as events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from perfwright.llm.wire.texts import Cutter, even_parts

_TEXT_OF_DELTA = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
}


def assemble_messages(pieces: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the message that the events make."""
    whole: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    inputs: dict[int, str] = {}
    for piece in pieces:
        match piece:
            case {"type": "message_start", "message": dict(message)}:
                whole = {**message}
            case {"type": "content_block_start", "index": index, "content_block": dict(block)}:
                blocks[index] = {**block}
            case {"type": "content_block_delta", "index": index, "delta": dict(delta)}:
                _add(blocks.setdefault(index, {}), delta)
                if delta.get("type") == "input_json_delta":
                    inputs[index] = inputs.get(index, "") + (delta.get("partial_json") or "")
            case {"type": "message_delta"}:
                usage = {**(whole.get("usage") or {}), **(piece.get("usage") or {})}
                whole |= piece.get("delta") or {}
                whole |= {"usage": usage} if usage else {}
            case _:
                pass
    for index, text in inputs.items():
        blocks[index]["input"] = _decoded(text)
    whole["content"] = [blocks[index] for index in sorted(blocks)]
    return whole


def split_messages(payload: Mapping[str, Any], *, cutter: Cutter) -> Iterator[dict[str, Any]]:
    """Yield the events of a message."""
    later = {name: payload[name] for name in ("stop_reason", "stop_sequence") if name in payload}
    begun = {**payload, "content": [], **dict.fromkeys(later)}
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(payload.get("content") or ()):
        yield from _block_events(index, block, cutter=cutter)
        yield {"type": "content_block_stop", "index": index}
    usage = payload.get("usage")
    yield {"type": "message_delta", "delta": later} | ({"usage": usage} if usage else {})
    yield {"type": "message_stop"}


def _add(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    kind = str(delta.get("type"))
    if kind == "citations_delta":
        block["citations"] = [*(block.get("citations") or ()), delta.get("citation")]
    elif kind in _TEXT_OF_DELTA:
        name = _TEXT_OF_DELTA[kind]
        block[name] = (block.get(name) or "") + (delta.get(name) or "")


def _decoded(text: str) -> Any:
    """A tool's input; of a stream that was cut in its midst, the text that came."""
    try:
        return msgspec.json.decode(text) if text else {}
    except ValueError:
        return text


def _block_events(
    index: int, block: Mapping[str, Any], *, cutter: Cutter
) -> Iterator[dict[str, Any]]:
    """Yield a block's beginning and its deltas; what is not sent in parts is in the beginning."""
    name = {"text": "text", "thinking": "thinking"}.get(str(block.get("type")), "")
    deltas: Iterable[dict[str, Any]] = ()
    begun = dict(block)
    if name and isinstance(text := block.get(name), str):
        begun[name] = ""
        parts = cutter.cut(text) if name == "text" else even_parts(text)
        deltas = ({"type": f"{name}_delta", name: part} for part in parts)
    elif block.get("type") == "tool_use" and isinstance(block.get("input"), dict):
        begun["input"] = {}
        parts = even_parts(msgspec.json.encode(block["input"]).decode())
        deltas = ({"type": "input_json_delta", "partial_json": part} for part in parts)
    yield {"type": "content_block_start", "index": index, "content_block": begun}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
