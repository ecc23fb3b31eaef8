"""Collapsed stacks: one line for each, `outer (file:line);inner (file:line) count`.

The format of Brendan Gregg's `flamegraph.pl`; py-spy calls it raw. Counts are microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from perfwright.core.errors import ProfilerError
from perfwright.profiling.formats.functions import Place, frames_of
from perfwright.profiling.formats.weights import Weight, weight_s
from perfwright.profiling.model import Frame, Stack

_PER_S = 1_000_000
_FRAME = re.compile(r"(?P<name>.*?)(?: \((?P<file>.*):(?P<line>\d+)\))?", re.DOTALL)


def to_collapsed(stacks: Iterable[Stack], *, weight: Weight = "busy", threads: bool = False) -> str:
    """Write stacks as collapsed text, heaviest first; what weighs nothing is left out.

    Args:
        stacks: In any order.
        weight: What to count.
        threads: Whether the name of the thread comes first, as if it were a function.
    """
    sums: dict[str, int] = {}
    for stack in stacks:
        head = [f"thread {_clean(stack.thread)}"] if threads else []
        line = ";".join([*head, *(_text(frame) for frame in stack.frames)])
        sums[line] = sums.get(line, 0) + round(weight_s(stack, weight) * _PER_S)
    heaviest = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    return "".join(f"{line} {count}\n" for line, count in heaviest if count and line)


def from_collapsed(
    text: str, *, seconds_per_count: float = 1.0 / _PER_S, thread: str = "MainThread"
) -> tuple[Stack, ...]:
    """Read collapsed text of any tool; frames without a file are taken as functions of `~`.

    Args:
        text: One stack a line.
        seconds_per_count: What a count stands for: one over the rate for a tool that counts
            samples.
        thread: The format knows none.

    Raises:
        ProfilerError: If a line has no count.
    """
    rows = [_row(line, number) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    frames = frames_of(place for places, _ in rows for place in places)
    return tuple(
        Stack(
            frames=tuple(frames[place] for place in places),
            state="running",
            thread=thread,
            samples=count,
            wall_s=count * seconds_per_count,
            cpu_s=count * seconds_per_count,
        )
        for places, count in rows
    )


def _row(line: str, number: int) -> tuple[list[Place], int]:
    path, _, count = line.rpartition(" ")
    if not path or not count.isdecimal():
        problem = f"line {number} of collapsed stacks has no count at its end: {line[:80]!r}"
        raise ProfilerError(problem=problem, remedy="write one stack a line, with a whole number")
    return [_place(frame) for frame in path.split(";")], int(count)


def _place(text: str) -> Place:
    match = _FRAME.fullmatch(text)
    if match is None or match["file"] is None:
        return ("~", text, 0)
    return (match["file"], match["name"], int(match["line"]))


def _text(frame: Frame) -> str:
    return f"{_clean(frame.function.name)} ({_clean(frame.function.file)}:{frame.line})"


def _clean(text: str) -> str:
    return text.replace(";", ",").replace("\n", " ").replace("\r", " ")
