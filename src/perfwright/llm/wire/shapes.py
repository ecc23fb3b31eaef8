"""What is wrong with a body that could not be translated: looked for only once it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_LISTS = ("messages", "tools")


def fault_of(body: Mapping[str, Any]) -> str:
    """Return what keeps a chat or messages body from being one, naming the part."""
    return next(_faults(body), "a part of the request is not what the format of its interface says")


def not_a(wanted: str, *, name: str, found: object) -> str:
    """Return the words for a part that is of another kind than the format says."""
    return f"{name!r} is {_kind(found)}, not {wanted}"


def _faults(body: Mapping[str, Any]) -> Iterator[str]:
    for field in _LISTS:
        yield from _faults_of_objects(body.get(field), name=field)
    messages = body.get("messages")
    for place, message in enumerate(messages if isinstance(messages, list) else ()):
        content, name = message.get("content"), f"messages[{place}].content"
        if isinstance(content, str | None):
            continue
        if not isinstance(content, list):
            yield not_a("a text or a list", name=name, found=content)
        yield from _faults_of_objects(content, name=name)


def _faults_of_objects(found: Any, *, name: str) -> Iterator[str]:
    """Of what should be a list of objects, if it is there."""
    if found is None:
        return
    if not isinstance(found, list | tuple):
        yield not_a("a list", name=name, found=found)
        return
    for place, one in enumerate(found):
        if not isinstance(one, Mapping):
            yield not_a("an object", name=f"{name}[{place}]", found=one)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list"
        case _:
            return f"of the type {type(value).__name__}"
