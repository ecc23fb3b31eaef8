"""What a body must be like, so that everything behind here can trust it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from perfwright.llm.requests import Api
from perfwright.llm.testing.prompts import prompt_text

MAX_CHOICES = 128
_MAX_TEXTS = 2_048
_MAX_DIMENSIONS = 4_096
_MAX_NUMBERS = 2_048 * 3_072
_MAX_VALUES = 10_000
_MAX_LEVELS = 100
_SAFE = 2**53
_AT = re.compile(r" - at `\$\.?(.*)`$")
_MISSING = re.compile(r"missing required field `(\w+)`")

T = TypeVar("T")
Tokens = Annotated[int, Meta(ge=1)]
Token = Annotated[int, Meta(ge=0, le=2**31)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Number = Annotated[int, Meta(ge=-_SAFE, le=_SAFE)] | float
Name = Annotated[str, Meta(min_length=1)]


class Malformed(ValueError):  # noqa: N818 - it is answered, not raised to anybody
    """A body that no provider would take."""

    def __init__(self, text: str, *, field: str | None = None) -> None:
        super().__init__(text if field is None else f"Invalid value for '{field}': {text}")
        self.field = field


class _Schema(Struct):
    type: str | Annotated[list[str], Meta(min_length=1)] | UnsetType = UNSET
    properties: dict[str, _Schema | bool] | UnsetType = UNSET
    items: _Schema | bool | UnsetType = UNSET
    enum: Annotated[list[Any], Meta(min_length=1)] | UnsetType = UNSET
    anyOf: Annotated[list[_Schema | bool], Meta(min_length=1)] | UnsetType = UNSET  # noqa: N815
    oneOf: Annotated[list[_Schema | bool], Meta(min_length=1)] | UnsetType = UNSET  # noqa: N815
    allOf: Annotated[list[_Schema | bool], Meta(min_length=1)] | UnsetType = UNSET  # noqa: N815
    minItems: Annotated[int, Meta(ge=0)] | UnsetType = UNSET  # noqa: N815
    minimum: Number | UnsetType = UNSET
    maximum: Number | UnsetType = UNSET
    const: Any = UNSET
    default: Any = UNSET

    def size(self, levels: int = _MAX_LEVELS) -> int:
        """Return how many values the example of it can hold at most."""
        if levels == 0:
            raise RecursionError(f"a schema of more than {_MAX_LEVELS} levels")
        fixed = [self.const, self.default, *(self.enum or ())]
        sizes = [len(msgspec.json.encode(value)) for value in fixed if value is not UNSET]
        for schemas in (self.anyOf, self.oneOf, self.allOf):
            sizes += [_size(schema, levels) for schema in schemas or ()]
        sizes.append(sum(_size(schema, levels) for schema in (self.properties or {}).values()))
        sizes.append(max(1, self.minItems or 0) * _size(self.items or False, levels))
        return max(1, *sizes)


def _size(schema: _Schema | bool, levels: int) -> int:
    return schema.size(levels - 1) if isinstance(schema, _Schema) else 1


class _Part(Struct):
    type: str
    text: str | None = None


class _Message(Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[_Part] | None = None
    tool_calls: list[dict[str, Any]] | None = None


class _Item(Struct):
    type: str | None = None
    role: str | None = None
    content: str | list[_Part] | None = None
    tool_calls: list[dict[str, Any]] | None = None


class _Function(Struct):
    name: str = ""
    parameters: _Schema | None = None
    input_schema: _Schema | None = None


class _Tool(_Function):
    function: _Function | None = None


class _Named(Struct):
    name: str | None = None
    function: _Function | None = None


class _Wanted(Struct):
    schema: _Schema | None = None


class _Format(Struct):
    type: str | None = None
    json_schema: _Wanted | None = None
    schema: _Schema | None = None


class _Text(Struct):
    format: _Format | None = None


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Body(Struct, kw_only=True):
    """What the forms have in common; a field that only one of them knows means the same in all."""

    model: Name
    messages: list[_Message] | None = None
    input: Any = None
    system: str | list[_Part] | None = None
    instructions: str | None = None
    n: Annotated[int, Meta(ge=1, le=MAX_CHOICES)] | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    max_output_tokens: Tokens | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _Named | None = None
    response_format: _Format | None = None
    text: _Text | None = None

    def schemas(self) -> dict[str, list[_Schema]]:
        """Return those that an answer may follow, by the field that holds them."""
        tools = self.tools or []
        functions = [*tools, *(tool.function for tool in tools if tool.function)]
        found = [*(f.parameters for f in functions), *(f.input_schema for f in functions)]
        return {
            "tools": [schema for schema in found if schema],
            "response_format": _schemas_of(self.response_format),
            "text": _schemas_of(self.text.format if self.text else None),
        }


def _schemas_of(form: _Format | None) -> list[_Schema]:
    if form is None:
        return []
    found = (form.schema, form.json_schema.schema if form.json_schema else None)
    return [schema for schema in found if schema]


class _Conversation(_Body):
    messages: Annotated[list[_Message], Meta(min_length=1)]
    input: str | list[_Item] | None = None


class _Responses(_Body):
    input: Annotated[str, Meta(min_length=1)] | Annotated[list[_Item], Meta(min_length=1)]


class _Embeddings(_Body):
    input: (
        Annotated[str, Meta(min_length=1)]
        | Annotated[list[str | Token | list[Token]], Meta(min_length=1, max_length=_MAX_TEXTS)]
    )
    dimensions: Annotated[int, Meta(ge=1, le=_MAX_DIMENSIONS)] | None = None
    encoding_format: Literal["float", "base64"] | None = None


_KINDS: dict[Api, type[_Body]] = {
    Api.CHAT: _Conversation,
    Api.MESSAGES: _Conversation,
    Api.RESPONSES: _Responses,
    Api.EMBEDDINGS: _Embeddings,
}
_decode = msgspec.json.Decoder().decode


def read(content: bytes) -> dict[str, Any]:
    """Return the object that a body is.

    Raises:
        Malformed: If it is none.
    """
    try:
        body = _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"The body must be a JSON object: {error}") from None
    if not isinstance(body, dict):
        raise Malformed("The body must be a JSON object")
    return body


def convert(value: Any, kind: type[T]) -> T:
    """Return a value of JSON as what it must be.

    Raises:
        Malformed: If it is not that.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _malformed(str(error)) from None
    except (OverflowError, RecursionError) as error:
        raise Malformed(f"The body holds a value that is out of range: {error}") from None


def check(api: Api, body: dict[str, Any]) -> str:
    """Let only bodies pass that can be answered; returns the prompt's text.

    Raises:
        Malformed: If a field is missing, or is not what it must be.
    """
    checked = convert(body, _KINDS[api])
    try:
        for field, schemas in checked.schemas().items():
            _check_schemas(schemas, field=field)
        if isinstance(checked, _Embeddings):
            _check_texts(checked)
        return prompt_text(body)
    except (OverflowError, RecursionError) as error:
        raise Malformed(f"The body holds a value that is out of range: {error}") from None


def _check_schemas(schemas: list[_Schema], *, field: str) -> None:
    if max((schema.size() for schema in schemas), default=0) > _MAX_VALUES:
        raise Malformed("the schema asks for too many values", field=field)


def _check_texts(body: _Embeddings) -> None:
    if len({type(text) for text in body.input}) > 1:
        raise Malformed("texts and tokens may not be mixed", field="input")
    if (body.dimensions or 0) * len(body.input) > _MAX_NUMBERS:
        raise Malformed("too many texts for so many dimensions", field="dimensions")


def _malformed(problem: str) -> Malformed:
    at = _AT.search(problem)
    missing = _MISSING.search(problem)
    steps = [at.group(1)] if at and at.group(1) else []
    steps += [missing.group(1)] if missing else []
    return Malformed(_AT.sub("", problem), field=".".join(steps) or None)
