"""How values become bytes for a shared tier: what comes back equals what went in, type included.

MessagePack alone would quietly return a list for a tuple and a string for a date. Here a value is
walked first: plain types pass, the types of the table below travel as extensions, classes travel if
they were registered, and anything else is refused rather than changed.
"""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from perfwright.core import ConfigError, UncacheableValueError

_PLAIN = frozenset({type(None), bool, float, str, bytes})
_KEYS = frozenset({str, bytes})  # of maps; other keys travel as pairs
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1  # what MessagePack holds as a number
_PAIRS, _CLASS = 10, 20
_MOST_DEPTH = 200


class Serializer(Protocol):
    """Turns values into bytes and back."""

    @property
    def number(self) -> int:
        """Stands in the envelope: a value of another serializer is never given to `loads`."""

    def dumps(self, value: object, /) -> bytes:
        """Encode.

        Raises:
            UncacheableValueError: If the value would not come back as it is.
        """

    def loads(self, payload: bytes, /) -> object:
        """Decode; may raise anything on bytes that `dumps` did not make."""


class MsgpackSerializer:
    """MessagePack that keeps types; runs no code on reading.

    Round trips: None, bool, int of any size, float, str, bytes, bytearray, list, dict with any of
    these as keys, tuple, set, frozenset, datetime (naive, with offset, with zone), date, time,
    timedelta, Decimal, complex, UUID. Exact types only: a subclass would come back as its base.

    Args:
        classes: Dataclasses, msgspec Structs and Enums that may travel, too; known by their
            qualified name in every process, so a renamed class is a miss and not an error.
    """

    number = 1

    def __init__(self, classes: Iterable[type[Any]] = ()) -> None:
        self._classes = {_name(kind): _checked(kind) for kind in classes}
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(ext_hook=self._restore, strict=True).decode

    def dumps(self, value: object, /) -> bytes:
        """Encode `value`, or refuse it."""
        try:
            return self._encode(self._plain(value, 0))
        except UnicodeEncodeError as error:
            raise UncacheableValueError(
                type_name=_name(type(value)), problem="it holds text that UTF-8 cannot encode"
            ) from error

    def loads(self, payload: bytes, /) -> object:
        """Decode what `dumps` made."""
        return self._decode(payload)

    def _plain(self, value: object, depth: int) -> object:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if depth > _MOST_DEPTH:
            raise UncacheableValueError(
                type_name=kind.__qualname__, problem=f"it is nested more than {_MOST_DEPTH} deep"
            )
        if isinstance(value, list) and kind is list:
            return [self._plain(item, depth + 1) for item in value]
        if isinstance(value, dict) and kind is dict:
            return self._map(value, depth)
        if isinstance(value, int) and kind is int and _SMALLEST <= value <= _LARGEST:
            return value
        return self._extension(value, depth)

    def _map(self, value: dict[object, object], depth: int) -> object:
        if all(type(key) in _KEYS for key in value):
            return {key: self._plain(item, depth + 1) for key, item in value.items()}
        pairs = [[key, item] for key, item in value.items()]
        return msgspec.msgpack.Ext(_PAIRS, self._encode(self._plain(pairs, depth + 1)))

    def _extension(self, value: object, depth: int) -> msgspec.msgpack.Ext:
        known = _TO_CODE.get(type(value))
        if known is not None:
            return msgspec.msgpack.Ext(
                known.code, self._encode(self._plain(known.take_apart(value), depth + 1))
            )
        name = _name(type(value))
        if name not in self._classes:
            raise UncacheableValueError(
                type_name=name,
                problem="register its class with MsgpackSerializer(classes=[...]) if it is a "
                "dataclass, Struct or Enum, or store plain data",
            )
        body = self._encode([name, self._plain(_fields(value), depth + 1)])
        return msgspec.msgpack.Ext(_CLASS, body)

    def _restore(self, code: int, data: memoryview) -> object:
        parts: Any = self._decode(data)
        if code == _PAIRS:
            return dict(parts)
        if code == _CLASS:
            name, fields = parts
            return _build(self._classes[name], fields)
        return _FROM_CODE[code].put_together(parts)


class PickleSerializer:
    """Pickle: any Python object, and with it any code.

    Whoever can write to the shared tier can then run code in every process that reads it. Choose it
    only where that tier is as trusted as the program itself.
    """

    number = 2

    def dumps(self, value: object, /) -> bytes:
        """Encode `value`."""
        try:
            return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
            raise UncacheableValueError(
                type_name=_name(type(value)), problem=str(error) or "it cannot be pickled"
            ) from error

    def loads(self, payload: bytes, /) -> object:
        """Decode what `dumps` made."""
        return pickle.loads(payload)  # noqa: S301  chosen by name, with the warning above


# --- Types beyond MessagePack ---------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Extension:
    code: int
    take_apart: Callable[[Any], object]
    put_together: Callable[[Any], object]


def _apart_datetime(value: datetime) -> object:
    zone = value.tzinfo.key if isinstance(value.tzinfo, ZoneInfo) else None
    return [value.isoformat(), zone, value.fold]


def _datetime_of(parts: tuple[str, str | None, int]) -> datetime:
    text, zone, fold = parts
    value = datetime.fromisoformat(text)
    return value.replace(tzinfo=ZoneInfo(zone), fold=fold) if zone else value.replace(fold=fold)


def _apart_time(value: time) -> object:
    return [value.isoformat(), value.fold]


def _time_of(parts: tuple[str, int]) -> time:
    return time.fromisoformat(parts[0]).replace(fold=parts[1])


_TO_CODE: dict[type[Any], _Extension] = {
    tuple: _Extension(1, list, tuple),
    set: _Extension(2, list, set),
    frozenset: _Extension(3, list, frozenset),
    datetime: _Extension(4, _apart_datetime, _datetime_of),
    date: _Extension(5, date.isoformat, date.fromisoformat),
    time: _Extension(6, _apart_time, _time_of),
    timedelta: _Extension(
        7, lambda span: [span.days, span.seconds, span.microseconds], lambda part: timedelta(*part)
    ),
    Decimal: _Extension(8, str, Decimal),
    UUID: _Extension(9, lambda value: value.bytes, lambda data: UUID(bytes=data)),
    bytearray: _Extension(11, bytes, bytearray),
    int: _Extension(12, hex, lambda text: int(text, 16)),  # only those that do not fit 64 bits
    complex: _Extension(13, lambda value: [value.real, value.imag], lambda part: complex(*part)),
}
_FROM_CODE = {extension.code: extension for extension in _TO_CODE.values()}


# --- Registered classes ---------------------------------------------------------------------------


def _name(kind: type[Any]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _checked(kind: type[Any]) -> type[Any]:
    if dataclasses.is_dataclass(kind) or issubclass(kind, msgspec.Struct | Enum):
        return kind
    raise ConfigError(
        field="classes", value=kind, problem="only dataclasses, Structs and Enums can be registered"
    )


def _fields(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    assert dataclasses.is_dataclass(value)  # noqa: S101  `_checked` admits nothing else
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _build(kind: type[Any], fields: Any) -> object:
    """Rebuild without converting: each field already has the type that it was stored with."""
    if issubclass(kind, Enum):
        return kind(fields)
    if issubclass(kind, msgspec.Struct):
        return kind(**fields)
    made: object = object.__new__(kind)  # without __init__: not every field is a parameter of it
    for name, item in fields.items():
        object.__setattr__(made, name, item)  # frozen dataclasses refuse the plain way
    return made
