"""Keeps counting from making a loop quadratic that is not.

CPython makes `text += more` longer in place where `text` is a local name; before 3.12 not while a
profile hook is set: then it copies the text each time. A loop of 3 million turns that takes 0.1 s
would take hours. So the main thread is not counted while it is seen at that with a long text.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from perfwright.profiling.sampling import Tick

COPIES_TEXT = (
    sys.implementation.name == "cpython"
    and sys.version_info < (3, 12)
    and find_spec("_ctypes") is not None
)
"""Whether a profile hook takes the instruction away that makes a local text longer in place, and it
can be given back."""
LONG_TEXT = 16_384
"""Characters. Copying fewer takes less than 1 us, about what a turn of a loop takes anyway."""
_ADDS = (0, 13)
"""The numbers of `+` and `+=` among the operations of `BINARY_OP` (CPython 3.11)."""


class Counting(Protocol):
    """What can leave a thread alone for a while."""

    def rest(self, ident: int) -> bool:
        """Count no calls of a thread for now; False if that cannot be done."""
        ...

    def go_on(self, ident: int) -> None:
        """Count them again."""
        ...


class GrowingTexts:
    """A hook of the sampler: stops counting the threads that make long texts longer.

    Calls of such a thread are not counted until the function that it is in has ended.
    """

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        self._names: dict[CodeType, tuple[str, ...]] = {}
        self._resting: dict[int, CodeType] = {}

    def __call__(self, tick: Tick) -> None:
        """Look at the innermost frame of every thread."""
        for ident, frame in tick.frames.items():
            busy_with = self._resting.get(ident)
            if busy_with is not None:
                if not _is_within(frame, busy_with):
                    self._go_on(ident)
            elif self._grows_text(frame) and self._counting.rest(ident):
                self._rest(ident, frame)
        for ident in self._resting.keys() - tick.frames.keys():
            self._resting.pop(ident, None)

    def _rest(self, ident: int, frame: FrameType) -> None:
        code = frame.f_code
        self._resting[ident] = code
        if frame.f_trace is None:
            # Nobody calls it without a trace function; it goes when the frame does.
            frame.f_trace = _AtEnd(lambda: self._go_on(ident))

    def _go_on(self, ident: int) -> None:
        if self._resting.pop(ident, None) is not None:
            self._counting.go_on(ident)

    def _grows_text(self, frame: FrameType) -> bool:
        code = frame.f_code
        names = self._names.get(code)
        if names is None:
            names = self._names[code] = added_to(code)
        if not names:
            return False
        variables = frame.f_locals
        texts = (variables.get(name) for name in names)
        return any(type(text) is str and len(text) >= LONG_TEXT for text in texts)


class _AtEnd:
    """Calls something when nobody holds it any more."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then

    def __call__(self, *_: object) -> None:
        """Trace nothing."""

    def __del__(self) -> None:
        self._then()


def added_to(code: CodeType) -> tuple[str, ...]:
    """Return the local names that the code sets to a sum."""
    instructions = [each for each in dis.get_instructions(code) if each.opname != "CACHE"]
    found = (
        str(after.argval)
        for each, after in pairwise(instructions)
        if each.opname == "BINARY_OP" and each.arg in _ADDS and after.opname == "STORE_FAST"
    )
    return tuple(dict.fromkeys(found))


def _is_within(frame: FrameType | None, code: CodeType) -> bool:
    while frame is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False
