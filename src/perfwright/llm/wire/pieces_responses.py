"""Responses whole and as events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

from perfwright.llm.wire.texts import Cutter, even_parts

_LAST = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    "cancelled": "response.cancelled",
}


def assemble_responses(pieces: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the response: the last event holds all of it; of a cut stream, the finished items."""
    whole: dict[str, Any] = {}
    items: dict[int, Any] = {}
    for piece in pieces:
        match piece:
            case {"type": str(kind), "response": dict(response)}:
                whole = dict(response)
                if kind in _LAST.values():
                    return whole
            case {"type": "response.output_item.done", "output_index": index, "item": item}:
                items[index] = item
            case _:
                pass
    whole["output"] = [items[index] for index in sorted(items)]
    return whole


def split_responses(payload: Mapping[str, Any], *, cutter: Cutter) -> Iterator[dict[str, Any]]:
    """Yield the events of a response, numbered as the provider does."""
    numbers = count()
    for event in _events(payload, cutter=cutter):
        yield {**event, "sequence_number": next(numbers)}


def _events(payload: Mapping[str, Any], *, cutter: Cutter) -> Iterator[dict[str, Any]]:
    begun = {**payload, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(payload.get("output") or ()):
        yield from _item_events(index, item, cutter=cutter)
    last = _LAST.get(str(payload.get("status")), "response.completed")
    yield {"type": last, "response": dict(payload)}


def _item_events(
    index: int, item: Mapping[str, Any], *, cutter: Cutter
) -> Iterator[dict[str, Any]]:
    place = {"output_index": index, "item_id": item.get("id")}
    begun = {**item, "status": "in_progress"} if "status" in item else dict(item)
    begun |= {"content": []} if item.get("type") == "message" else {}
    begun |= {"arguments": ""} if "arguments" in item else {}
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    if item.get("type") == "message":
        for number, part in enumerate(item.get("content") or ()):
            yield from _part_events({**place, "content_index": number}, part, cutter=cutter)
    if isinstance(arguments := item.get("arguments"), str):
        kind = "response.function_call_arguments"
        for delta in even_parts(arguments):
            yield {"type": f"{kind}.delta", **place, "delta": delta}
        yield {"type": f"{kind}.done", **place, "arguments": arguments}
    yield {"type": "response.output_item.done", "output_index": index, "item": dict(item)}


def _part_events(
    place: dict[str, Any], part: Mapping[str, Any], *, cutter: Cutter
) -> Iterator[dict[str, Any]]:
    """Yield the events of a message's part: a text, or a refusal."""
    name = "refusal" if part.get("type") == "refusal" else "text"
    kind = "response.refusal" if name == "refusal" else "response.output_text"
    text = part.get(name)
    text = text if isinstance(text, str) else ""
    yield {"type": "response.content_part.added", **place, "part": {**part, name: ""}}
    for delta in cutter.cut(text) if name == "text" else even_parts(text):
        yield {"type": f"{kind}.delta", **place, "delta": delta}
    yield {"type": f"{kind}.done", **place, name: text}
    yield {"type": "response.content_part.done", **place, "part": dict(part)}
