"""Small profiles written by hand: what rules fire on, and what they must stay silent on."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent

from perfwright.profiling.diagnosis.source import ModuleSource
from perfwright.profiling.model import Async, Call, Frame, Function, Memory, Profile, Stack, State

FILE = "/srv/shop/app.py"
Where = str | tuple[str, str]
"""A piece of an own line, or file and function of a library."""


def example(
    text: str,
    *paths: tuple[Where, ...],
    state: State = "running",
    calls: Mapping[tuple[str, str], int] | None = None,
    memory: Memory | None = None,
    asyncio: Async | None = None,
) -> Profile:
    """A run of the program `text` that spent one second in each of these stacks.

    Args:
        text: Source of one module.
        paths: Stacks, outermost first; own frames by a piece of the line that was executed.
        state: Of the thread, in all stacks.
        calls: (piece of a line of the caller, name of the callee) to number of calls; a piece of
            a `def` line stands for an own callee.
        memory: What the memory probe saw.
        asyncio: What the event loop's probe saw.
    """
    text = dedent(text)
    stacks = tuple(
        Stack(
            frames=tuple(frame_of(text, where) for where in path),
            state=state,
            thread="MainThread",
            samples=100,
            wall_s=1.0,
            cpu_s=1.0 if state == "running" else 0.0,
        )
        for path in paths
    )
    return Profile(
        wall_s=float(len(paths)) or 1.0,
        cpu_s=float(len(paths)),
        stacks=stacks,
        calls=tuple(
            Call(
                caller=frame_of(text, caller).function,
                callee=_callee(text, callee),
                count=count,
                self_s=0.0,
                cumulative_s=0.0,
            )
            for (caller, callee), count in (calls or {}).items()
        ),
        memory=memory,
        asyncio=asyncio,
        sources={FILE: text},
    )


def frame_of(text: str, where: Where) -> Frame:
    """The frame at the first line with this piece of text, or in a function of a library."""
    if not isinstance(where, str):
        file, name = where
        return Frame(Function(f"/usr/lib/python3.11/{file}", 1, name), 1)
    lines = dedent(text).splitlines()
    number = next(i for i, line in enumerate(lines, start=1) if where in line)
    module = ModuleSource.parse(dedent(text), file=FILE)
    around = module.function_at(number) if module else None
    if around is None:
        return Frame(Function(FILE, 1, "<module>"), number)
    return Frame(Function(FILE, around.first_line, around.name), number)


def _callee(text: str, name: str) -> Function:
    if name.startswith("def "):
        return frame_of(text, name).function
    return Function("~", 0, name)
