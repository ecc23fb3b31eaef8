"""A whole profile as JSON, with everything in it; functions and frames are listed once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from perfwright.core.errors import ProfilerError
from perfwright.profiling.model import Frame, Function, Profile

VERSION = 1
_WHAT = "perfwright profile"


def to_json(profile: Profile) -> str:
    """Write a profile; `from_json` gives back an equal one."""
    tables = _Tables()
    body = tables.encode(profile)
    document = {"what": _WHAT, "version": VERSION, "functions": tables.functions}
    return json.dumps({**document, "frames": tables.frames, "profile": body})


def from_json(text: str) -> Profile:
    """Read what `to_json` wrote.

    Raises:
        ProfilerError: If it did not.
    """
    try:
        document = json.loads(text)
        if document["what"] != _WHAT or document["version"] != VERSION:
            raise ValueError(f"{document['what']!r} of version {document['version']!r}")
        functions = [Function(*row) for row in document["functions"]]
        frames = [Frame(functions[number], line) for number, line in document["frames"]]
        return _Reader(functions, frames).profile(document["profile"])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ProfilerError(
            problem=f"not a profile that can be read: {type(error).__name__}: {error}",
            remedy=f"give the JSON of a profile of version {VERSION}",
        ) from error


class _Tables:
    """Functions and frames by number, in the order met."""

    def __init__(self) -> None:
        self._functions: dict[Function, int] = {}
        self._frames: dict[Frame, int] = {}

    @property
    def functions(self) -> list[list[object]]:
        return [[item.file, item.line, item.name] for item in self._functions]

    @property
    def frames(self) -> list[list[int]]:
        return [[self._functions[item.function], item.line] for item in self._frames]

    def encode(self, value: object) -> object:
        if isinstance(value, Function):
            return self._functions.setdefault(value, len(self._functions))
        if isinstance(value, Frame):
            self.encode(value.function)
            return self._frames.setdefault(value, len(self._frames))
        if isinstance(value, tuple):
            return [self.encode(item) for item in value]
        if isinstance(value, Mapping):
            return dict(value)
        if is_dataclass(value):
            return {item.name: self.encode(getattr(value, item.name)) for item in fields(value)}
        return value


class _Reader:
    """Builds records by the types of their fields."""

    def __init__(self, functions: list[Function], frames: list[Frame]) -> None:
        self._functions, self._frames = functions, frames
        self._hints: dict[type, dict[str, Any]] = {}

    def profile(self, value: Mapping[str, Any]) -> Profile:
        named = {name: self._field(Profile, name, value=value[name]) for name in value}
        return Profile(**named)  # type: ignore[arg-type]  # read by the types of its fields

    def decode(self, value: Any, kind: Any) -> object:
        if isinstance(kind, UnionType):
            inner = next(item for item in get_args(kind) if item is not NoneType)
            return None if value is None else self.decode(value, inner)
        if kind is Function:
            return self._functions[value]
        if kind is Frame:
            return self._frames[value]
        if get_origin(kind) is tuple:
            item_kind = get_args(kind)[0]
            return tuple(self.decode(item, item_kind) for item in value)
        if is_dataclass(kind) and isinstance(kind, type):
            return kind(**{name: self._field(kind, name, value=value[name]) for name in value})
        return value

    def _field(self, kind: type, name: str, *, value: object) -> object:
        if kind not in self._hints:
            self._hints[kind] = get_type_hints(kind)
        return self.decode(value, self._hints[kind][name])
