"""Which functions are called with equal arguments again and again, by looking at some calls."""

from __future__ import annotations

import inspect
import sys
from collections import Counter, defaultdict
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING
from weakref import ref

from perfwright.profiling.code import function_of
from perfwright.profiling.model import Arguments

if TYPE_CHECKING:
    from perfwright.profiling.sampling import Tick

MAX_FRAMES = 12  # of a stack, from its inner end: what is further out is called seldom
MAX_KEYS = 512  # per function; beyond them it repeats little
MAX_TEXT = 65_536  # characters that are hashed; longer texts are told by length and ends
MAX_ITEMS = 8
MAX_OBJECTS = 4096  # remembered by weak references, that hold none of them
SCALARS = (bool, int, float, complex, type(None))
VALUES = {"datetime", "decimal", "fractions", "uuid", "ipaddress"}
_LIBRARIES = (sys.prefix + "/lib/python", sys.base_prefix + "/lib/python")
_LOOKED_AT = {
    "loads": "/json/__init__.py",
    "urljoin": "/urllib/parse.py",
    "_strptime": "/_strptime.py",
}
"""Functions of the standard library whose arguments tell whether a caller repeats work."""
_OURS = str(Path(__file__).parents[1])


class ArgumentProbe:
    """A hook of the sampler: notes hashes of the arguments of the functions that it sees.

    Looking at a frame's variables copies references to them before Python 3.13, so this is for
    runs that may be slowed. Nothing but hashes is kept. What is not a plain value counts as the
    object that it is, whatever it holds.
    """

    def __init__(self) -> None:
        self._names: dict[CodeType, tuple[str, ...] | None] = {}
        self._seen: dict[CodeType, Counter[int]] = defaultdict(Counter)
        self._each: dict[CodeType, dict[str, set[int]]] = {}
        self._objects: dict[int, tuple[ref[object], int]] = {}
        self._made = 0
        self._by_value: dict[CodeType, bool] = {}

    def __call__(self, tick: Tick) -> None:
        """Look at the innermost frames of every thread."""
        for innermost in tick.frames.values():
            frame: FrameType | None = innermost
            looked_at = set[CodeType]()
            for _ in range(MAX_FRAMES):
                if frame is None:
                    break
                code = frame.f_code
                names = self._names_of(code)
                if names is not None and code not in looked_at:
                    looked_at.add(code)
                    self._note(frame, names)
                frame = frame.f_back

    def result(self) -> tuple[Arguments, ...]:
        """What was seen, most often seen first."""
        found = (
            Arguments(
                function=function_of(code),
                looks=keys.total(),
                distinct=len(keys),
                by_value=self._by_value[code],
                each=tuple((name, len(seen)) for name, seen in self._each[code].items()),
            )
            for code, keys in self._seen.items()
        )
        return tuple(sorted(found, key=lambda a: (-a.looks, a.function.name)))

    def _names_of(self, code: CodeType) -> tuple[str, ...] | None:
        if code not in self._names:
            self._names[code] = _arguments(code)
        return self._names[code]

    def _note(self, frame: FrameType, names: tuple[str, ...]) -> None:
        code = frame.f_code
        keys = self._seen[code]
        variables = frame.f_locals if names else {}
        parts = [self._key(_given(code, name, value=variables.get(name))) for name in names]
        each = self._each.setdefault(code, {name: set() for name in names})
        for name, (part, _) in zip(names, parts, strict=True):
            if len(each[name]) < MAX_KEYS:
                each[name].add(part)
        self._by_value[code] = self._by_value.get(code, True) and all(known for _, known in parts)
        key = hash(tuple(part for part, _ in parts))
        if key in keys or len(keys) < MAX_KEYS:
            keys[key] += 1

    def _key(self, value: object) -> tuple[int, bool]:
        part, known = _key(value)
        return (part, True) if known else (hash((part, self._birth(value))), False)

    def _birth(self, value: object) -> int:
        """Tells an object from an earlier one that lay at the same address."""
        address = id(value)
        known = self._objects.get(address)
        if known is not None and known[0]() is value:
            return known[1]
        try:
            found = ref(value)
        except TypeError:
            return _sample(value)
        if len(self._objects) >= MAX_OBJECTS:
            self._objects.clear()  # the few that live on count once more
        self._made += 1
        self._objects[address] = found, self._made
        return self._made


def _sample(value: object) -> int:
    """A part of a collection that is likely to differ in another one at the same address."""
    match value:
        case list() | tuple() if value:
            return _key(value[0], depth=2)[0]
        case dict() if value:
            return hash(tuple(_key(part, depth=2)[0] for part in next(iter(value.items()))))
        case _:
            return 0


def _given(code: CodeType, name: str, *, value: object) -> object:
    """What was given: of `**options` its items, as the dictionary is a new one at each call."""
    if type(value) is dict and code.co_flags & inspect.CO_VARKEYWORDS:
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & inspect.CO_VARARGS)
        return tuple(value.items()) if code.co_varnames[count] == name else value
    return value


def _is_looked_at(code: CodeType) -> bool:
    end = _LOOKED_AT.get(code.co_name)
    return end is not None and code.co_filename.endswith(end)


def _arguments(code: CodeType) -> tuple[str, ...] | None:
    """Names of the arguments; None for code that is not worth a look."""
    function = bool(code.co_flags & inspect.CO_OPTIMIZED)
    suspends = code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE)
    file = code.co_filename
    if not function or suspends or code.co_name.startswith("<") or file.startswith(_OURS):
        return None
    if file.startswith(_LIBRARIES) and "-packages" not in file and not _is_looked_at(code):
        return None
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    names = code.co_varnames[:count]
    if _is_looked_at(code):
        return names[:2]
    # What makes an object gets a new one each time.
    return names[1:] if code.co_name in {"__init__", "__new__", "__post_init__"} else names


def _key(value: object, *, depth: int = 0) -> tuple[int, bool]:
    """A hash of a value, and whether it tells the value rather than which object it is."""
    kind = type(value)
    if isinstance(value, SCALARS):
        return hash((kind, value)), True
    if isinstance(value, str | bytes) and kind in {str, bytes}:
        text = value if len(value) <= MAX_TEXT else (len(value), value[:64], value[-64:])
        return hash(text), True
    if isinstance(value, tuple) and kind is tuple and depth < 2:
        parts = [_key(item, depth=depth + 1) for item in value[:MAX_ITEMS]]
        return hash((len(value), *(part for part, _ in parts))), all(known for _, known in parts)
    if kind.__module__ in VALUES:
        try:
            return hash((kind, value)), True
        except TypeError:
            return id(value), False
    return id(value), False
