"""Chat completions whole and in chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from perfwright.llm.wire.texts import Cutter, even_parts

_IN_EVERY_CHUNK = ("id", "object", "created", "model", "service_tier", "system_fingerprint")
_NOT_TEXT = frozenset({"role", "id", "type", "name", "index"})
"""Strings of a delta that are said once; the others go on where the last piece stopped."""
_THOUGHTS = ("reasoning_content", "reasoning", "refusal")
"""Texts beside `content` that providers stream."""


def assemble_chat(pieces: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the completion that the chunks make."""
    whole: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for piece in pieces:
        for name, value in piece.items():
            if name == "usage":
                if value is not None:
                    whole["usage"] = value
            elif name != "choices" and not whole.get(name):
                whole[name] = value
        for choice in piece.get("choices") or ():
            _add_choice(choices.setdefault(choice.get("index") or 0, {}), choice)
    if whole.get("object") == "chat.completion.chunk":
        whole["object"] = "chat.completion"
    whole["choices"] = [_finished(index, choices[index]) for index in sorted(choices)]
    return whole


def split_chat(payload: Mapping[str, Any], *, cutter: Cutter) -> Iterator[dict[str, Any]]:
    """Yield the chunks of a completion, the usage as the last."""
    common = {name: payload[name] for name in _IN_EVERY_CHUNK if name in payload}
    if "object" in common:
        common["object"] = "chat.completion.chunk"
    said_once = {
        name: value for name, value in payload.items() if name not in ("choices", "usage", "object")
    }
    first = common | said_once
    for choice in payload.get("choices") or ():
        own = Cutter(()) if choice.get("index") else cutter
        for part in _choice_parts(choice, cutter=own):
            yield {**first, "choices": [part]}
            first = common
    if payload.get("usage") is not None:
        yield {**first, "choices": [], "usage": payload["usage"]}


def _add_choice(into: dict[str, Any], choice: Mapping[str, Any]) -> None:
    for name, value in choice.items():
        if name == "delta":
            _merge(into.setdefault("message", {}), value or {})
        elif name == "logprobs" and isinstance(value, dict):
            known = into.get("logprobs")
            into["logprobs"] = known if isinstance(known, dict) else {}
            _merge(into["logprobs"], value)
        elif value is not None or name not in into:
            into[name] = value


def _merge(into: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add what a delta brings: texts and lists go on, objects are merged, the rest is replaced."""
    for name, value in delta.items():
        known = into.get(name)
        if known is None:
            into[name] = _grown([], value) if isinstance(value, list) else _copied(value)
        elif isinstance(known, str) and isinstance(value, str) and name not in _NOT_TEXT:
            into[name] = known + value
        elif isinstance(known, list) and isinstance(value, list):
            _grown(known, value)
        elif isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
        elif value is not None and not (name in _NOT_TEXT and value == ""):
            into[name] = value


def _grown(known: list[Any], items: list[Any]) -> list[Any]:
    """Add to a list; an item with an `index`, such as a tool call, goes on where that one is."""
    for item in items:
        index = item.get("index") if isinstance(item, dict) else None
        same = (one for one in known if isinstance(one, dict) and one.get("index") == index)
        found = next(same, None) if index is not None else None
        if found is None:
            known.append(_copied(item))
        else:
            _merge(found, item)
    return known


def _copied(value: Any) -> Any:
    """A value that may be merged into: not the piece's own."""
    if isinstance(value, dict):
        return {name: _copied(inner) for name, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def _finished(index: int, choice: dict[str, Any]) -> dict[str, Any]:
    """A choice as the whole answer has it."""
    message = choice.get("message", {})
    for name in ("tool_calls", "thinking_blocks"):
        items = message.get(name)
        if isinstance(items, list) and all(isinstance(item, dict) for item in items):
            items.sort(key=lambda item: item.get("index") or 0)
            for item in items:
                item.pop("index", None)
    return {"finish_reason": None, **choice, "index": index, "message": message}


def _choice_parts(choice: Mapping[str, Any], *, cutter: Cutter) -> Iterator[dict[str, Any]]:
    """Yield a choice's part of each chunk."""
    index = choice.get("index") or 0
    for delta in _deltas(choice.get("message") or {}, cutter=cutter):
        yield {"index": index, "delta": delta, "finish_reason": None}
    rest = {name: value for name, value in choice.items() if name != "message"}
    yield {"finish_reason": None, **rest, "index": index, "delta": {}}


def _deltas(message: Mapping[str, Any], *, cutter: Cutter) -> Iterator[dict[str, Any]]:
    """Yield a message's parts: all that is said once first, then the texts, then the calls."""
    calls = [call for call in message.get("tool_calls") or () if isinstance(call, dict)]
    first = {name: _begun(name, value) for name, value in message.items() if name != "tool_calls"}
    if "tool_calls" in message and not calls:
        first["tool_calls"] = message["tool_calls"]
    yield first
    for name in _THOUGHTS:
        for part in even_parts(_text_of(message, name)):
            yield {name: part}
    for part in cutter.cut(_text_of(message, "content")):
        yield {"content": part}
    for index, call in enumerate(calls):
        yield from _call_deltas(index, call)


def _call_deltas(index: int, call: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    function = call.get("function")
    arguments = function.get("arguments") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(arguments, str):
        yield {"tool_calls": [{**call, "index": index}]}
        return
    begun = {**call, "index": index, "function": {**function, "arguments": ""}}
    yield {"tool_calls": [begun]}
    for part in even_parts(arguments):
        yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}


def _begun(name: str, value: Any) -> Any:
    """What the first delta says of a field: a text that follows in parts is empty there."""
    return "" if isinstance(value, str) and name in ("content", *_THOUGHTS) else value


def _text_of(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    return value if isinstance(value, str) else ""
