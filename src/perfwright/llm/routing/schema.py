"""The part of JSON Schema that structured answers use, checked without another library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from perfwright.core import ConfigError

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool))
        or (isinstance(value, float) and value.is_integer())
    ),
}

_CHECKED = {
    *("type", "enum", "const", "required", "properties", "additionalProperties", "items"),
    *("minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "anyOf"),
}
_NOTES = {"title", "description", "default", "examples", "$schema", "$id", "$comment"}


def check_schema(schema: Mapping[str, Any], *, where: str = "schema") -> None:
    """Refuse a schema that says more than is checked: silence would pass for validity.

    Raises:
        ConfigError: Naming the first keyword or type that is not known.
    """
    for keyword in schema:
        if keyword not in _CHECKED | _NOTES:
            known = ", ".join(sorted(_CHECKED))
            raise ConfigError(field=where, value=keyword, problem=f"is not checked; known: {known}")
    kinds = schema.get("type", ())
    for kind in (kinds,) if isinstance(kinds, str) else kinds:
        if kind not in _TYPES:
            raise ConfigError(
                field=f"{where}.type", value=kind, problem="is no type of JSON Schema"
            )
    for name, part in _parts(schema):
        check_schema(part, where=f"{where}.{name}")


def _parts(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from schema.get("properties", {}).items()
    for name in ("items", "additionalProperties"):
        if isinstance(part := schema.get(name), Mapping):
            yield name, part
    for place, part in enumerate(schema.get("anyOf", ())):
        yield f"anyOf[{place}]", part


def problems(value: Any, schema: Mapping[str, Any], *, where: str = "answer") -> Iterator[str]:
    """Yield what is wrong with a value, each with its place."""
    kinds = schema.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else kinds
    if kinds and not any(_TYPES[kind](value) for kind in kinds):
        yield f"{where} is no {' or '.join(kinds)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is none of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{where} is not {schema['const']!r}"
    if "anyOf" in schema and all(any(problems(value, part)) for part in schema["anyOf"]):
        yield f"{where} fits no form of anyOf"
    yield from _out_of_bounds(value, schema, where=where)
    if isinstance(value, dict):
        yield from _in_object(value, schema, where=where)
    if isinstance(value, list) and isinstance(items := schema.get("items"), Mapping):
        for place, item in enumerate(value):
            yield from problems(item, items, where=f"{where}[{place}]")


def _out_of_bounds(value: Any, schema: Mapping[str, Any], *, where: str) -> Iterator[str]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        size, low, high = value, "minimum", "maximum"
    elif isinstance(value, str):
        size, low, high = len(value), "minLength", "maxLength"
    elif isinstance(value, list):
        size, low, high = len(value), "minItems", "maxItems"
    else:
        return
    if low in schema and size < schema[low]:
        yield f"{where} is under its {low} of {schema[low]}"
    if high in schema and size > schema[high]:
        yield f"{where} is over its {high} of {schema[high]}"


def _in_object(value: dict[str, Any], schema: Mapping[str, Any], *, where: str) -> Iterator[str]:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where}.{name} is missing"
    others = schema.get("additionalProperties", True)
    for name, part in value.items():
        if name in known:
            yield from problems(part, known[name], where=f"{where}.{name}")
        elif others is False:
            yield f"{where}.{name} is not asked for"
        elif isinstance(others, Mapping):
            yield from problems(part, others, where=f"{where}.{name}")
