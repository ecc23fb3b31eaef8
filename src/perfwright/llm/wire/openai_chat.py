"""Anthropic's requests in the form of chat, and chat's answers in the form of its messages: pure.

The reverse of `anthropic`: programs that speak Anthropic's form reach OpenAI-compatible servers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from perfwright.llm.wire.anthropic_parts import UntranslatableError
from perfwright.llm.wire.usage import count_of

STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_PASSED = ("model", "temperature", "top_p")
_REFUSED = ("mcp_servers", "container")


def messages_to_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of `/chat/completions` that asks what a request for `/messages` asks.

    What chat has no name for and an answer is as good without (`top_k`, marks for the prompt
    cache, earlier thoughts) is left out.

    Raises:
        UntranslatableError: If it asks for what this form has no way to say.
    """
    for name in _REFUSED:
        if body.get(name):
            raise UntranslatableError(f"{name!r} has no counterpart in chat completions")
    made = {name: body[name] for name in _PASSED if name in body}
    made["messages"] = [*_system(body.get("system")), *_conversation(body.get("messages") or ())]
    if "max_tokens" in body:
        made["max_completion_tokens"] = body["max_tokens"]
    if stops := body.get("stop_sequences"):
        made["stop"] = stops
    if user := (body.get("metadata") or {}).get("user_id"):
        made["user"] = user
    return made | _tools(body) | _reasoning(body) | _format(body)


def message_from_chat(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chat completion as a message; of several choices, the first.

    Raises:
        UntranslatableError: If the arguments of a tool's call are no JSON.
    """
    choice = payload["choices"][0]
    message = choice.get("message") or {}
    return {
        "id": payload.get("id"),
        "type": "message",
        "role": "assistant",
        "model": payload.get("model"),
        "content": list(_blocks(message)),
        "stop_reason": stop_reason(choice.get("finish_reason")),
        "stop_sequence": None,
        "usage": message_usage(payload.get("usage") or {}),
    }


def stop_reason(finish_reason: str | None) -> str | None:
    """Return Anthropic's word for why an answer ended; an unknown one counts as `end_turn`."""
    return None if finish_reason is None else STOP_REASONS.get(finish_reason, "end_turn")


def message_usage(counted: Mapping[str, Any]) -> dict[str, int]:
    """Return chat's count in Anthropic's terms: the prompt without what its cache had."""
    details = counted.get("prompt_tokens_details") or {}
    read = count_of(details.get("cached_tokens"))
    written = count_of(details.get("cache_write_tokens"))
    return {
        "input_tokens": max(0, count_of(counted.get("prompt_tokens")) - read - written),
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": count_of(counted.get("completion_tokens")),
    }


def _system(system: Any) -> Iterator[dict[str, Any]]:
    text = system if isinstance(system, str) else "\n\n".join(_texts(system or ()))
    if text:
        yield {"role": "system", "content": text}


def _texts(blocks: Any) -> Iterator[str]:
    for block in blocks:
        if block.get("type") != "text":
            kind = block.get("type")
            raise UntranslatableError(f"a block of the type {kind!r} can only be text in chat")
        yield block.get("text") or ""


def _conversation(messages: Any) -> Iterator[dict[str, Any]]:
    for message in messages:
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
        if message.get("role") == "assistant":
            yield _assistant(blocks)
        else:
            yield from _user(blocks)


def _assistant(blocks: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Its thoughts are left out: chat takes none back."""
    text = "".join(block.get("text") or "" for block in blocks if block.get("type") == "text")
    calls = [
        {
            "id": block.get("id"),
            "type": "function",
            "function": {"name": block.get("name"), "arguments": _json(block.get("input") or {})},
        }
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    made: dict[str, Any] = {"role": "assistant", "content": text or None}
    return made | ({"tool_calls": calls} if calls else {})


def _user(blocks: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The results of tools are messages of their own, right after the calls."""
    parts = []
    for block in blocks:
        if block.get("type") == "tool_result":
            content = block.get("content") or ""
            text = content if isinstance(content, str) else "\n\n".join(_texts(content))
            yield {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": text}
        else:
            parts.append(_part(block))
    if len(parts) == 1 and parts[0]["type"] == "text":
        yield {"role": "user", "content": parts[0]["text"]}
    elif parts:
        yield {"role": "user", "content": parts}


def _part(block: Mapping[str, Any]) -> dict[str, Any]:
    match block:
        case {"type": "text", "text": text}:
            return {"type": "text", "text": text}
        case {"type": "image", "source": dict(source)}:
            return {"type": "image_url", "image_url": {"url": _url(source)}}
        case {"type": "document", "source": {"type": "base64"} as source}:
            named = block.get("title") or "document"
            return {"type": "file", "file": {"filename": named, "file_data": _url(source)}}
        case _:
            kind = block.get("type")
            raise UntranslatableError(f"a block of the type {kind!r} has no counterpart in chat")


def _url(source: Mapping[str, Any]) -> str:
    match source:
        case {"type": "base64", "media_type": kind, "data": data}:
            return f"data:{kind};base64,{data}"
        case {"type": "url", "url": str(url)}:
            return url
        case _:
            raise UntranslatableError(f"a source of the type {source.get('type')!r} cannot be sent")


def _tools(body: Mapping[str, Any]) -> dict[str, Any]:
    tools = body.get("tools")
    if not tools:
        return {}
    made: dict[str, Any] = {"tools": [_tool(tool) for tool in tools]}
    choice = body.get("tool_choice") or {}
    match choice.get("type"):
        case None:
            pass
        case "tool":
            made["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
        case "any":
            made["tool_choice"] = "required"
        case word:
            made["tool_choice"] = word
    return made | (
        {"parallel_tool_calls": False} if choice.get("disable_parallel_tool_use") else {}
    )


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool.get("type") not in (None, "custom"):
        raise UntranslatableError(f"the tool {tool.get('type')!r} is Anthropic's own")
    function = {name: tool[name] for name in ("name", "description", "strict") if name in tool}
    return {"type": "function", "function": function | {"parameters": tool.get("input_schema")}}


def _reasoning(body: Mapping[str, Any]) -> dict[str, Any]:
    thinking = body.get("thinking") or {}
    if thinking.get("type") != "enabled":
        return {}
    tokens = thinking.get("budget_tokens") or 0
    return {
        "reasoning_effort": "low" if tokens < 4_096 else "medium" if tokens < 16_384 else "high"
    }


def _format(body: Mapping[str, Any]) -> dict[str, Any]:
    match body.get("output_config"):
        case {"format": {"type": "json_schema", "schema": schema}}:
            wanted = {"name": "answer", "schema": schema, "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": wanted}}
        case _:
            return {}


def _blocks(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if thoughts := message.get("reasoning_content") or message.get("reasoning"):
        yield {"type": "thinking", "thinking": thoughts, "signature": ""}
    if text := message.get("content") or message.get("refusal"):
        yield {"type": "text", "text": text}
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        name = function.get("name")
        made = _arguments(function.get("arguments"), name=name)
        yield {"type": "tool_use", "id": call.get("id"), "name": name, "input": made}


def _arguments(text: str | None, *, name: str | None) -> Any:
    try:
        return msgspec.json.decode(text or "{}")
    except ValueError as error:
        raise UntranslatableError(f"the arguments of the call of {name!r} are no JSON") from error


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
