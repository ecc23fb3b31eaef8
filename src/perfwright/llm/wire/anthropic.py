"""Chat requests in the form of Anthropic's messages, and its answers in the form of chat: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from perfwright.llm.wire.anthropic_parts import UntranslatableError, blocks_of, text_blocks
from perfwright.llm.wire.usage import count_of

MAX_TOKENS = 4_096  # the form wants a bound and chat has none by default; every model allows this
THINKING_TOKENS = {"minimal": 1_024, "low": 1_024, "medium": 4_096, "high": 16_384}
"""Of `reasoning_effort`; 1,024 is the least that Anthropic takes."""

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

_TRANSLATED = frozenset(
    [
        "messages",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "user",
        "reasoning_effort",
        "response_format",
        "temperature",
        "n",
    ]
)
_DROPPED = frozenset(
    [
        "stream",
        "stream_options",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "store",
        "metadata",
        "service_tier",
        "prompt_cache_key",
        "safety_identifier",
        "verbosity",
        "modalities",
    ]
)
"""Without counterpart, and an answer is as good without them."""
_REFUSED = ("functions", "function_call", "logprobs", "top_logprobs", "audio", "prediction")


def request_to_messages(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of `/messages` that asks what a chat request asks.

    Names that neither form knows, and those that only Anthropic's knows (`thinking`, `top_k`),
    are passed on.

    Raises:
        UntranslatableError: If it asks for what this form has no way to say.
    """
    _refuse(body)
    messages = body.get("messages") or ()
    own = _TRANSLATED | _DROPPED
    made: dict[str, Any] = {name: value for name, value in body.items() if name not in own}
    system = [message for message in messages if message.get("role") in ("system", "developer")]
    if system:
        made["system"] = _system(system)
    made["messages"] = list(_turns(message for message in messages if message not in system))
    made |= _tools(body) | _thinking(body) | _format(body)
    bound = body.get("max_completion_tokens") or body.get("max_tokens")
    thought = made.get("thinking") or {}
    made["max_tokens"] = bound or MAX_TOKENS + (thought.get("budget_tokens") or 0)
    if isinstance(body.get("temperature"), int | float) and not thought:
        made["temperature"] = min(body["temperature"], 1.0)  # of 2 in chat, of 1 here
    if stop := body.get("stop"):
        made["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    if user := body.get("user"):
        made["metadata"] = {"user_id": user}
    return made


def chat_from_message(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message as a chat completion; its time is not known, so `created` is 0."""
    blocks = [block for block in payload.get("content") or () if isinstance(block, dict)]
    texts = [block.get("text") or "" for block in blocks if block.get("type") == "text"]
    calls = [_tool_call(block) for block in blocks if block.get("type") == "tool_use"]
    thoughts = [block for block in blocks if block.get("type") in ("thinking", "redacted_thinking")]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts else None}
    if calls:
        message["tool_calls"] = calls
    if thoughts:
        message["reasoning_content"] = "".join(block.get("thinking") or "" for block in thoughts)
        message["thinking_blocks"] = thoughts
    finish = finish_reason(payload.get("stop_reason"))
    completion = {
        "id": payload.get("id"),
        "object": "chat.completion",
        "created": 0,
        "model": payload.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
    if isinstance(counted := payload.get("usage"), dict):
        completion["usage"] = chat_usage(counted)
    return completion


def finish_reason(stop_reason: str | None) -> str | None:
    """Return chat's word for why an answer ended; an unknown one counts as `stop`."""
    return None if stop_reason is None else FINISH_REASONS.get(stop_reason, "stop")


def chat_usage(counted: Mapping[str, Any]) -> dict[str, Any]:
    """Return Anthropic's count in chat's terms: the prompt is all of it, cached or not."""
    read = count_of(counted.get("cache_read_input_tokens"))
    written = count_of(counted.get("cache_creation_input_tokens"))
    asked = count_of(counted.get("input_tokens")) + read + written
    answered = count_of(counted.get("output_tokens"))
    usage: dict[str, Any] = {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": asked + answered,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
    }
    details = counted.get("output_tokens_details")
    if isinstance(details, dict) and (thinking := details.get("thinking_tokens")) is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": thinking}
    return usage


def _refuse(body: Mapping[str, Any]) -> None:
    for name in _REFUSED:
        if body.get(name):
            raise UntranslatableError(f"{name!r} has no counterpart in Anthropic's messages")
    if body.get("n") not in (None, 1):
        raise UntranslatableError("'n' has no counterpart in Anthropic's messages: call it n times")


def _system(messages: Iterable[Mapping[str, Any]]) -> str | list[dict[str, Any]]:
    """The instructions; as plain text unless a part has more to say, such as `cache_control`."""
    blocks = [block for message in messages for block in text_blocks(message.get("content"))]
    if all(block.keys() == {"type", "text"} for block in blocks):
        return "\n\n".join(block["text"] for block in blocks)
    return blocks


def _turns(messages: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield user's and assistant's turns: all results of one turn's tools must be in one turn."""
    role, gathered = "", list[dict[str, Any]]()
    for message in messages:
        whose = "assistant" if message.get("role") == "assistant" else "user"
        if gathered and whose != role:
            yield _turn(role, gathered)
            gathered = []
        role = whose
        gathered += blocks_of(message)
    if gathered:
        yield _turn(role, gathered)


def _turn(role: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    only = blocks[0] if len(blocks) == 1 else {}
    if only.keys() == {"type", "text"}:
        return {"role": role, "content": only["text"]}
    return {"role": role, "content": blocks}


def _tools(body: Mapping[str, Any]) -> dict[str, Any]:
    tools = body.get("tools")
    if not tools:
        return {}
    made: dict[str, Any] = {"tools": [_tool(tool) for tool in tools]}
    match body.get("tool_choice"):
        case {"type": "function", "function": {"name": name}}:
            choice: dict[str, Any] | None = {"type": "tool", "name": name}
        case "auto" | "none" as word:
            choice = {"type": word}
        case "required":
            choice = {"type": "any"}
        case None:
            choice = None
        case other:
            raise UntranslatableError(f"tool_choice {other!r} has no counterpart there")
    if body.get("parallel_tool_calls") is False and (choice or {}).get("type") != "none":
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    return made | ({"tool_choice": choice} if choice else {})


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A function in Anthropic's form; its own tools, such as its web search, go as they are."""
    if tool.get("type") != "function" or not isinstance(tool.get("function"), dict):
        return dict(tool)
    function = tool["function"]
    made = {name: function[name] for name in ("description", "strict") if name in function}
    made |= {"cache_control": tool["cache_control"]} if "cache_control" in tool else {}
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return {"name": function.get("name"), **made, "input_schema": schema}


def _thinking(body: Mapping[str, Any]) -> dict[str, Any]:
    effort = body.get("reasoning_effort")
    if effort in (None, "none") or body.get("thinking"):
        return {}
    tokens = THINKING_TOKENS.get(effort)
    if tokens is None:
        raise UntranslatableError(f"reasoning_effort is one of {', '.join(THINKING_TOKENS)}")
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


def _format(body: Mapping[str, Any]) -> dict[str, Any]:
    match body.get("response_format"):
        case None | {"type": "text"}:
            return {}
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            own = body.get("output_config") or {}
            return {"output_config": {**own, "format": {"type": "json_schema", "schema": schema}}}
        case _:
            raise UntranslatableError(
                "response_format without a schema has no counterpart there: give a json_schema"
            )


def _tool_call(block: Mapping[str, Any]) -> dict[str, Any]:
    arguments = msgspec.json.encode(block.get("input") or {}).decode()
    function = {"name": block.get("name"), "arguments": arguments}
    return {"id": block.get("id"), "type": "function", "function": function}
