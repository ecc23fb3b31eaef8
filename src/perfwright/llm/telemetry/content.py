"""Prompts and answers in the form of the conventions; only for users who asked for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from perfwright.llm.telemetry.facts import Facts


def content_of(facts: Facts) -> dict[str, str]:
    """Return the conversation and the answer as attributes, in JSON.

    Source: gen-ai-input-messages.json and gen-ai-output-messages.json of the conventions.
    """
    import msgspec

    encode = msgspec.json.Encoder(enc_hook=str).encode
    asked = [_message(message) for message in _asked(facts)]
    came = [
        {**_message(message), "finish_reason": str(reason or "")}
        for message, reason in _came(facts.payload)
    ]
    found = {"gen_ai.input.messages": asked, "gen_ai.output.messages": came}
    return {name: encode(messages).decode() for name, messages in found.items() if messages}


def _asked(facts: Facts) -> Sequence[Mapping[str, Any]]:
    if facts.request is None:
        return ()
    if facts.request.messages:
        return facts.request.messages
    given = facts.body.get("input")
    return [{"role": "user", "content": given}] if isinstance(given, str) else ()


def _came(payload: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Any]]:
    for choice in payload.get("choices") or ():
        yield choice.get("message") or {}, choice.get("finish_reason")
    if isinstance(payload.get("content"), list):  # Anthropic's form
        yield payload, payload.get("stop_reason")
    for item in payload.get("output") or ():  # of the Responses interface
        if "content" in item:
            yield item, payload.get("status")


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": str(message.get("role", "")), "parts": list(_parts(message))}


def _parts(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    content = message.get("content")
    if message.get("role") == "tool":
        yield {"type": "tool_call_response", "id": message.get("tool_call_id"), "response": content}
        return
    if isinstance(content, str):
        yield {"type": "text", "content": content}
    for part in content if isinstance(content, list) else ():
        text = part.get("text") if isinstance(part, dict) else None
        yield {"type": "text", "content": text} if text is not None else {"type": _kind(part)}
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        yield {
            "type": "tool_call",
            "id": call.get("id"),
            "name": function.get("name"),
            "arguments": function.get("arguments"),
        }


def _kind(part: object) -> str:
    """Name a part that is not text, such as an image; what is in it is left out."""
    return str(part.get("type", "unknown")) if isinstance(part, dict) else "unknown"
