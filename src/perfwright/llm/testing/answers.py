"""What the simulated provider answers: it follows from the prompt and the seed alone."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b, shake_128
from typing import Any

import msgspec

from perfwright.llm.replies import Usage
from perfwright.llm.testing.prompts import CHARACTERS_PER_TOKEN
from perfwright.llm.testing.settings import ProviderSettings

_LANDSCAPE = (
    " amber basin cedar delta ember fjord grove haven inlet jetty knoll ledge marsh north ocean"
    " plain quarry ridge shore tidal upper valley water yonder zephyr acorn birch cliff dunes"
)
_WORDS = tuple(f" {word}" for word in _LANDSCAPE.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What an answer says."""

    tokens: list[str] = field(default_factory=list)
    """Pieces of the text, or of the tool's arguments."""
    tool: str = ""
    """Name of the tool that is called with the text as arguments; empty answers in words."""
    is_cut: bool = False
    """Whether the call's own bound ended it."""

    @property
    def text(self) -> str:
        """The whole of it."""
        return "".join(self.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """Texts that are answered with vectors."""

    texts: list[str]
    dimensions: int
    seed: int
    as_base64: bool

    def vectors(self) -> list[list[float]]:
        """Return one vector for each text, in their order."""
        return [embedding(text, dimensions=self.dimensions, seed=self.seed) for text in self.texts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, before it has a form."""

    id: str
    model: str
    created: int
    digest: bytes
    """Stands for the prompt."""
    usage: Usage
    blocks: list[int] = field(default_factory=list)
    """Beginnings of the prompt that are known once it is answered."""
    content: Content = field(default_factory=Content)
    choices: int = 1
    embedded: Embedded | None = None


def digest_of(text: str, *, seed: int) -> bytes:
    """Return 16 bytes that stand for a prompt."""
    return blake2b(
        text.encode(), digest_size=16, salt=seed.to_bytes(8, "big", signed=True)
    ).digest()


def content_of(body: Mapping[str, Any], *, digest: bytes, settings: ProviderSettings) -> Content:
    """Return what a prompt is answered: words, JSON if it asks for some, or a tool's arguments."""
    tool, schema = _tool(body)
    schema = schema or _wanted_schema(body)
    if schema is None:
        tokens = _words(digest, settings=settings)
    else:
        text = msgspec.json.encode(_example(schema, digest=digest)).decode()
        step = CHARACTERS_PER_TOKEN
        tokens = [text[start : start + step] for start in range(0, len(text), step)]
    bound = _bound(body)
    if bound is None or len(tokens) + settings.reasoning_tokens <= bound:
        return Content(tokens=tokens, tool=tool)
    return Content(
        tokens=tokens[: max(0, bound - settings.reasoning_tokens)], tool=tool, is_cut=True
    )


def embedded_of(body: Mapping[str, Any], *, settings: ProviderSettings) -> Embedded:
    """Return what is to be embedded: a text, several, or either as the caller's own tokens."""
    given = body["input"]
    texts = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    return Embedded(
        texts=[str(text) for text in texts],
        dimensions=body.get("dimensions") or settings.embedding_dimensions,
        seed=settings.seed,
        as_base64=body.get("encoding_format") == "base64",
    )


def embedding(text: str, *, dimensions: int, seed: int) -> list[float]:
    """Return a vector of length 1 that only an equal text has."""
    raw = shake_128(digest_of(text, seed=seed)).digest(2 * dimensions)
    numbers = [value - 32767.5 for value in struct.unpack(f"<{dimensions}H", raw)]
    norm = sum(number * number for number in numbers) ** 0.5
    return [number / norm for number in numbers]


def _words(digest: bytes, *, settings: ProviderSettings) -> list[str]:
    count = settings.completion_tokens
    if settings.completion_tokens_max is not None:
        span = max(0, settings.completion_tokens_max - count) + 1
        count += int.from_bytes(digest[8:], "big") % span
    start = digest[0]
    words = [_WORDS[(start + index) % len(_WORDS)] for index in range(1, count)]
    return [digest[:6].hex(), *words][:count]


def _bound(body: Mapping[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"):
        if isinstance(bound := body.get(name), int):
            return bound
    return None


def _tool(body: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    """Choose the tool to call: the one asked for, else the first, until its result has come."""
    tools, choice = body.get("tools"), body.get("tool_choice")
    if not tools or choice == "none" or _holds_tool_result(body):
        return "", None
    declared = [tool.get("function") or tool for tool in tools]
    wanted = (
        choice.get("name") or (choice.get("function") or {}).get("name")
        if isinstance(choice, dict)
        else None
    )
    chosen = next((tool for tool in declared if tool.get("name") == wanted), declared[0])
    schema = chosen.get("parameters") or chosen.get("input_schema") or {"type": "object"}
    return str(chosen.get("name", "")), schema


def _holds_tool_result(body: Mapping[str, Any]) -> bool:
    """Whether the newest message brings what a tool returned."""
    given = body.get("messages") or body.get("input")
    last = given[-1] if isinstance(given, list) and given else None
    if not isinstance(last, dict):
        return False
    if last.get("role") == "tool" or last.get("type") == "function_call_output":
        return True
    content = last.get("content")
    return isinstance(content, list) and any(part.get("type") == "tool_result" for part in content)


def _wanted_schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the JSON Schema that the answer must follow, if it must be JSON."""
    wanted = body.get("response_format") or (body.get("text") or {}).get("format") or {}
    match wanted.get("type"):
        case "json_object":
            return {"type": "object", "properties": {"answer": {"type": "string"}}}
        case "json_schema":
            schema: Mapping[str, Any] = (wanted.get("json_schema") or wanted).get("schema") or {}
            return schema
        case _:
            return None


def _example(schema: Mapping[str, Any] | bool, *, digest: bytes) -> Any:
    """Return the plainest value that a schema allows."""
    if isinstance(schema, bool):
        return None
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if schema.get("enum"):
        return schema["enum"][digest[0] % len(schema["enum"])]
    for name in ("anyOf", "oneOf", "allOf"):
        if schema.get(name):
            return _example(schema[name][0], digest=digest)
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            return {
                name: _example(part, digest=digest)
                for name, part in schema.get("properties", {}).items()
            }
        case "array":
            return [_example(schema.get("items", {}), digest=digest)] * max(
                1, schema.get("minItems", 1)
            )
        case "integer" | "number":
            return max(schema.get("minimum", 1), min(schema.get("maximum", 1), 1))
        case "boolean":
            return bool(digest[0] & 1)
        case "null":
            return None
        case _:
            return digest[:4].hex()
