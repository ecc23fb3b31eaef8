"""Values of attributes: between Python's types and OTLP's `AnyValue`."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from perfwright.monitoring.exposition import clean
from perfwright.monitoring.tags import MAX_KEY, MAX_TAGS, MAX_TEXT, plain

MAX_DEPTH = 8
"""Of lists and mappings within one another; what is deeper becomes text or `...`."""
_MAX_ITEMS = 200
"""Values read of one attribute, lists within lists included; `plain` keeps fewer of them."""
_DECIMAL = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_INT64 = range(-(2**63), 2**63)

Tree = dict[str, Any]
"""A message with protobuf's names; see `writing.py`."""


def attributes_tree(attributes: Mapping[str, Any] | None) -> list[Tree]:
    """Return attributes as a list of `KeyValue`."""
    return [
        {"key": clean(str(key)), "value": value_tree(value)}
        for key, value in (attributes or {}).items()
    ]


def value_tree(value: object, depth: int = 0) -> Tree:
    """Return a value as an `AnyValue`; of what OTLP has no form for, the text."""
    match value:
        case None:
            return {}
        case str():
            return {"string_value": clean(value)}
        case bool():
            return {"bool_value": value}
        case int() if value in _INT64:
            return {"int_value": int(value)}
        case float():
            return {"double_value": float(value)}
        case bytes() | bytearray():
            return {"bytes_value": bytes(value)}
        case list() | tuple() if depth < MAX_DEPTH:
            return {"array_value": {"values": [value_tree(each, depth + 1) for each in value]}}
        case Mapping() if depth < MAX_DEPTH:
            pairs = [
                {"key": clean(str(key)), "value": value_tree(each, depth + 1)}
                for key, each in value.items()
            ]
            return {"kvlist_value": {"values": pairs}}
        case _:
            return {"string_value": _text_of(value)}


def _text_of(value: object) -> str:
    try:
        return clean(str(value)[:MAX_TEXT])
    except Exception:  # noqa: BLE001 - a user's __str__, which may raise anything
        return type(value).__name__


def attributes_of(pairs: Iterable[Any] | None) -> tuple[dict[str, Any], int]:
    """Return the attributes of received `KeyValue`s as tags, and how many were let go.

    Those above `MAX_TAGS` are, and those that have no key or cannot be read.
    """
    found: dict[str, Any] = {}
    dropped = 0
    for pair in pairs or ():
        if len(found) >= MAX_TAGS or not pair.key:
            dropped += 1
            continue
        try:
            found[pair.key[:MAX_KEY]] = plain(value_of(pair.value))
        except ValueError:
            dropped += 1
    return found, dropped


def value_of(value: Any) -> Any:
    """Return a received `AnyValue` as a value of Python.

    Raises:
        ValueError: If it holds a number or bytes that cannot be read.
    """
    return _Reader().read(value, 0)


class _Reader:
    """Reads one attribute, and counts what it holds."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MAX_ITEMS

    def read(self, value: Any, depth: int) -> Any:
        name = value.WhichOneof("value") if value is not None else None
        if name is None:
            return None
        held = getattr(value, name)
        match name:
            case "string_value":
                return held
            case "int_value":
                return int64(held)
            case "double_value":
                return double(held)
            case "bytes_value":
                return _bytes_of(held)[:MAX_TEXT]
            case "array_value" if depth < MAX_DEPTH:
                return [self.read(each, depth + 1) for each in self._some(held.values)]
            case "kvlist_value" if depth < MAX_DEPTH:
                return {
                    (each.key or "")[:MAX_KEY]: self.read(each.value, depth + 1)
                    for each in self._some(held.values)
                }
            case "bool_value":
                return held
            case _:
                return "..."

    def _some(self, items: Iterable[Any] | None) -> Iterator[Any]:
        for item in items or ():
            if self.left <= 0:
                return
            self.left -= 1
            yield item


def int64(value: int | str | None) -> int:
    """Return a 64-bit number of either form; 0 if it is missing.

    Raises:
        ValueError: If it is no number, or is too long.
    """
    if type(value) is int:
        return value
    if not value:
        return 0
    if not _DECIMAL.fullmatch(str(value)):  # the text stays out of the error: errors are counted
        raise ValueError("a 64-bit number is no decimal number")
    return int(value)


def double(value: float | str | None) -> float:
    """Return a number of either form; not a number if it is missing.

    Raises:
        ValueError: If it is no number.
    """
    if value is None:
        return math.nan
    try:
        return float(value)
    except ValueError:
        raise ValueError("a double is no number") from None


def _bytes_of(held: bytes | str) -> bytes:
    if isinstance(held, bytes):
        return held
    try:
        return base64.b64decode(held, validate=True)
    except binascii.Error:
        raise ValueError("bytesValue is no base64") from None
