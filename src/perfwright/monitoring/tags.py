"""Values of tags: small and plain, so that a kept span never holds a program's objects."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from itertools import islice
from sys import getsizeof
from typing import Any

MAX_TAGS = 64
"""Of one span or log."""
MAX_TEXT = 1024
"""Characters of one text; longer ones are cut and end in an ellipsis."""
MAX_KEY = 128
FEW_TAGS, SHORT_TEXT, SHORT_KEY = 4, 64, 32
"""What is within these needs no look at how many bytes it takes."""
MAX_ITEMS = 32
"""Of one sequence; the rest is left out and an ellipsis says so."""
BIG = 1 << 63
"""Numbers from here on become texts: no telemetry has room for them."""
LEAST = -BIG

_PLAIN = frozenset((float, bool, type(None)))
_LIMITS = reprlib.Repr()
_LIMITS.maxstring = _LIMITS.maxother = 200


def plain(value: Any) -> Any:
    """Return `value` as None, a truth value, a number or a text, or a tuple of these."""
    if type(value) is str:
        return value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…"
    if type(value) in _PLAIN:
        return value
    try:
        if isinstance(value, (list, tuple)):
            items = tuple(_item(each) for each in value[:MAX_ITEMS])
            return items if len(value) <= MAX_ITEMS else (*items, "…")
        return _item(value)
    except Exception:  # noqa: BLE001 - a broken __repr__ of the user's must not end the operation
        return f"<{type(value).__name__}>"


def _item(value: Any) -> Any:
    """Return `value` as one plain thing: what is a number in its own way becomes Python's."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, str):
        return plain(str.__str__(value))
    if isinstance(value, float):
        return float(value)
    if hasattr(type(value), "__index__"):
        number = int(value)
        return number if LEAST <= number < BIG else plain(hex(number))
    return plain(_LIMITS.repr(value))


class Checked(dict[str, Any]):
    """Tags of which all are known to be plain; `@trace` has the same ones at each call."""


class Large(dict[str, Any]):
    """Tags whose bytes are counted, as they may be many; see `SpanStore`."""


def are_small(tags: Mapping[str, Any]) -> bool:
    """Whether all of `tags` are below 1 kB or so, and need not be counted."""
    return len(tags) <= FEW_TAGS and all(
        len(key) <= SHORT_KEY
        and type(value) is not tuple
        and (type(value) is not str or len(value) <= SHORT_TEXT)
        for key, value in tags.items()
    )


def size_of(tags: Mapping[str, Any]) -> int:
    """Return about how many bytes `tags` take."""
    size = getsizeof(tags)
    for key, value in tags.items():
        size += getsizeof(key) + getsizeof(value)
        if type(value) is tuple:
            size += sum(map(getsizeof, value))
    return size


def plain_tags(tags: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of `tags` with plain values, the first `MAX_TAGS` of them.

    Raises:
        TypeError: If it is no mapping from strings.
    """
    if type(tags) is dict and len(tags) <= FEW_TAGS:
        for key in tags:  # with `items()` it would take 20 ns more
            value = tags[key]
            if type(key) is not str or len(key) > SHORT_KEY:
                break
            if type(value) is str:
                if len(value) > SHORT_TEXT:
                    break
            elif type(value) is not int or not LEAST <= value < BIG:
                break
        else:  # nearly always: 80 ns instead of 200
            return tags.copy()
    elif type(tags) is Checked:
        return tags.copy() if len(tags) <= FEW_TAGS else Large(tags)
    given: object = tags
    # The class first: `isinstance` with an abstract class costs 0.4 us.
    if type(given) is not dict and not isinstance(given, Mapping):
        raise TypeError(f"tags are a mapping from strings to values, not {reprlib.repr(given)}")
    kept: dict[str, Any] = {}
    for key, value in islice(tags.items(), MAX_TAGS):
        if not isinstance(key, str):
            raise TypeError(f"the key of a tag is a string, not {type(key).__name__}")
        kept[key if len(key) <= MAX_KEY else key[:MAX_KEY]] = plain(value)
    return kept if are_small(kept) else Large(kept)


def described(error: BaseException) -> str:
    """Return `Type: message` of an exception, even of one that cannot be written."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ of the user's must not hide the failure
        message = "<no text>"
    name = type(error).__name__
    return str(plain(f"{name}: {message}" if message else name))
