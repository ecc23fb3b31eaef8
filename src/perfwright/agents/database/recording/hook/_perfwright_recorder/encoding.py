"""Values as JSON text, as SQLite would store them."""

from __future__ import annotations

import _sqlite3
import datetime as dt
import re
from json.encoder import encode_basestring_ascii

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_BLOB_BYTES = 4_096  # longer ones are no keys: their size is kept, not their content
MAX_TEXT_LETTERS = 65_536
_NAMES = re.compile(r"[:@$]([A-Za-z_]\w*)")


def encode_parameters(sql: str, parameters: Any) -> str:
    """JSON of the parameters of one execution: a list, or an object of the names in `sql`."""
    if isinstance(parameters, (tuple, list)):
        return "[" + ", ".join([_encode(value) for value in parameters]) + "]"
    if isinstance(parameters, dict):
        return _encode_named(sql, parameters)
    return "[" + ", ".join([_encode(parameters[n]) for n in range(len(parameters))]) + "]"


def _encode_named(sql: str, parameters: Any) -> str:
    # Only what the statement names: programs pass whole objects.
    found = {}
    for name in _NAMES.findall(sql):
        try:
            found[name] = _encode(parameters[name])
        except KeyError:  # the colon stood in a text
            continue
    return "{" + ", ".join([f'"{name}": {value}' for name, value in found.items()]) + "}"


def _encode(value: Any) -> str:
    encode = _ENCODERS.get(type(value))
    return encode(value) if encode is not None else _encode_adapted(value)


def _encode_text(value: str) -> str:
    return encode_basestring_ascii(value[:MAX_TEXT_LETTERS])


def _encode_float(value: float) -> str:
    if value != value:  # noqa: PLR0124 - not a number, which SQLite stores as NULL
        return "null"
    text = float.__repr__(value)
    return {"inf": "1e999", "-inf": "-1e999"}.get(text, text)


def _encode_bytes(value: bytes | bytearray | memoryview) -> str:
    data = bytes(value)
    if len(data) > MAX_BLOB_BYTES:
        return f'{{"$blob_bytes": {len(data)}}}'
    return f'{{"$blob": "{data.hex()}"}}'


def _encode_adapted(value: Any) -> str:
    """Encode a value of another type: adapted, else as what it derives from, as sqlite3 does."""
    adapted = _adapt(value)
    for kind, encode in _ENCODERS.items():
        if isinstance(adapted, kind):
            return encode(adapted)
    try:
        return _encode_bytes(memoryview(adapted))
    except TypeError:
        return _encode_text(str(adapted))


def _adapt(value: Any) -> Any:
    # The standard adapters warn since Python 3.12; the program has had that warning already.
    if type(value) is dt.datetime and _is_standard(value):
        return value.isoformat(" ")
    if type(value) is dt.date and _is_standard(value):
        return value.isoformat()
    try:
        return _sqlite3.adapt(value, _sqlite3.PrepareProtocol)
    except _sqlite3.Error:
        return value


def _is_standard(value: Any) -> bool:
    adapter = _sqlite3.adapters.get((type(value), _sqlite3.PrepareProtocol))
    return getattr(adapter, "__module__", "") == "sqlite3.dbapi2"


_ENCODERS: dict[type, Callable[[Any], str]] = {
    str: _encode_text,
    int: int.__repr__,
    float: _encode_float,
    type(None): lambda _: "null",
    bytes: _encode_bytes,
    bytearray: _encode_bytes,
    memoryview: _encode_bytes,
}
