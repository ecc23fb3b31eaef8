"""Positions in code, kept as numbers while sampling and turned into frames afterwards."""

from __future__ import annotations

import opcode
from bisect import bisect_right
from types import CodeType, FrameType

from perfwright.profiling.code import function_of
from perfwright.profiling.model import Frame, Function

MAX_DEPTH = 400
"""Frames kept of one stack. Deeper ones lose their middle: 200 stay at either end."""

TRUNCATED = Frame(Function("~", 0, "<truncated>"), 0)
"""Stands for frames, or whole stacks, that were not kept."""

_GAP = (0, 0)
_SAFE_POINTS = frozenset(
    number for name, number in opcode.opmap.items() if "JUMP_BACKWARD" in name or name == "RESUME"
)


class Places:
    """Every code object that was seen, by its id: hashing one costs as much as its constants."""

    __slots__ = ("_bytes", "_codes", "_frames", "_functions", "_lines")

    def __init__(self) -> None:
        self._codes: dict[int, CodeType] = {}
        self._bytes: dict[int, bytes] = {}
        self._functions: dict[int, Function] = {}
        self._lines: dict[int, tuple[list[int], list[int]]] = {}
        self._frames: dict[tuple[int, int], Frame] = {}

    def walk(self, frame: FrameType | None) -> tuple[int, ...]:
        """Return code id and position of each frame in turn, innermost first."""
        key: list[int] = []
        codes = self._codes
        while frame is not None:
            code = frame.f_code
            number = id(code)
            if number not in codes:
                codes[number] = code
            key += (number, frame.f_lasti)
            frame = frame.f_back
        if len(key) > 2 * MAX_DEPTH:
            key[MAX_DEPTH:-MAX_DEPTH] = _GAP
        return tuple(key)

    def between_instructions(self, key: tuple[int, ...]) -> bool:
        """Whether the innermost frame was stopped by the interpreter itself, not inside a call."""
        number, position = key[0], key[1]
        text = self._bytes.get(number)
        if text is None:
            text = self._bytes[number] = self._codes[number].co_code
        return 0 <= position < len(text) and text[position] in _SAFE_POINTS

    def frames(self, key: tuple[int, ...]) -> tuple[Frame, ...]:
        """Return the frames of a stack, outermost first."""
        pairs = zip(key[-2::-2], key[-1::-2], strict=True)
        return tuple(self._frame(number, position) for number, position in pairs)

    def forget_except(self, keys: set[int]) -> None:
        """Let go of the code that no kept stack mentions."""
        for number in self._codes.keys() - keys:
            del self._codes[number]
            self._bytes.pop(number, None)

    def _frame(self, number: int, position: int) -> Frame:
        found = self._frames.get((number, position))
        if found is None:
            found = TRUNCATED if number == 0 else self._resolve(number, position)
            self._frames[number, position] = found
        return found

    def _resolve(self, number: int, position: int) -> Frame:
        function = self._functions.get(number)
        if function is None:
            function = self._functions[number] = function_of(self._codes[number])
        return Frame(function, self._line(number, position) or function.line)

    def _line(self, number: int, position: int) -> int | None:
        table = self._lines.get(number)
        if table is None:
            rows = [(start, line or 0) for start, _, line in self._codes[number].co_lines()]
            table = self._lines[number] = ([row[0] for row in rows], [row[1] for row in rows])
        starts, lines = table
        index = bisect_right(starts, position) - 1
        return lines[index] if index >= 0 else None
