"""A profile as one HTML file that shows where the time goes, without any network."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from perfwright.profiling.diagnosis import OwnCode
from perfwright.profiling.model import Function, Profile

_STATES = ("running", "waiting", "awaiting", "idle")


def to_flamegraph(
    profile: Profile, *, own: Callable[[Function], bool] | None = None, title: str = "Profile"
) -> str:
    """Return a page with a flame graph to zoom, search and read details in, by mouse or keyboard.

    Args:
        profile: Its stacks are shown, by wall or CPU time; nothing of its sources is.
        own: Which functions are coloured as the user's own; by default what `OwnCode` takes for it.
        title: Of the page; any text.
    """
    page = (files(__package__) / "flamegraph.html").read_text(encoding="utf-8")
    data = _data(profile, own=own or OwnCode().owns)
    # In a script element only "<" could end the data; as \u003c JSON means the same.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    before, after = page.split("%DATA%")
    return before.replace("%TITLE%", html.escape(title)) + text + after


def _data(profile: Profile, *, own: Callable[[Function], bool]) -> dict[str, Any]:
    """Return each function once, and stacks as numbers of functions, outermost first."""
    numbers: dict[Function, int] = {}
    threads: dict[str, int] = {}
    stacks = [
        [
            _STATES.index(stack.state),
            threads.setdefault(stack.thread, len(threads)),
            stack.wall_s,
            stack.cpu_s,
            stack.samples,
            [numbers.setdefault(frame.function, len(numbers)) for frame in stack.frames],
        ]
        for stack in profile.stacks
    ]
    return {
        "states": _STATES,
        "threads": list(threads),
        "functions": [[f.name, f.file, f.line, _kind(f, own=own)] for f in numbers],
        "stacks": stacks,
        "wall_s": profile.wall_s,
        "cpu_s": profile.cpu_s,
        "missed_s": profile.cost.missed_s,
    }


def _kind(function: Function, *, own: Callable[[Function], bool]) -> str:
    if function.file == "~":
        return "c"
    return "own" if own(function) else "library"
