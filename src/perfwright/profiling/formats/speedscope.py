"""The JSON of https://www.speedscope.app: one profile for each thread and state."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from perfwright.core.errors import ProfilerError
from perfwright.profiling.formats.functions import Place, frames_of
from perfwright.profiling.formats.weights import Weight, weight_s
from perfwright.profiling.model import Frame, Stack, State

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def to_speedscope(
    stacks: Iterable[Stack], *, weight: Weight = "busy", name: str = "perfwright"
) -> str:
    """Write stacks as a speedscope document; what weighs nothing is left out.

    Args:
        stacks: In any order; within a profile the heaviest comes first.
        weight: What to show.
        name: Title of the document.
    """
    groups: dict[tuple[str, str], list[tuple[float, Stack]]] = {}
    for stack in stacks:
        seconds = weight_s(stack, weight)
        if seconds > 0.0 and stack.frames:
            groups.setdefault((stack.thread, stack.state), []).append((seconds, stack))
    numbers: dict[Frame, int] = {}
    profiles = [
        _profile(f"{thread} ({state})", rows=rows, numbers=numbers)
        for (thread, state), rows in sorted(groups.items(), key=_heaviest)
    ]
    document = {
        "$schema": _SCHEMA,
        "name": name,
        "exporter": "perfwright",
        "activeProfileIndex": 0 if profiles else None,
        "shared": {"frames": [_frame(frame) for frame in numbers]},
        "profiles": profiles,
    }
    return json.dumps({key: value for key, value in document.items() if value is not None})


def from_speedscope(text: str) -> tuple[Stack, ...]:
    """Read the sampled profiles of a speedscope document of any tool.

    Weights in seconds count as time; without a unit each counts as one sample of no known length.

    Raises:
        ProfilerError: If the text is no such document.
    """
    try:
        document = json.loads(text)
        listed = [_place(frame) for frame in document["shared"]["frames"]]
        profiles = [item for item in document["profiles"] if item["type"] == "sampled"]
        resolved = frames_of(listed)
        frames = [resolved[place] for place in listed]
        return tuple(stack for item in profiles for stack in _stacks(item, frames))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ProfilerError(
            problem=f"not a speedscope document: {type(error).__name__}: {error}",
            remedy="give the JSON that speedscope, py-spy or perfwright wrote",
        ) from error


def _heaviest(group: tuple[object, list[tuple[float, Stack]]]) -> float:
    return -sum(seconds for seconds, _ in group[1])


def _profile(
    name: str, *, rows: list[tuple[float, Stack]], numbers: dict[Frame, int]
) -> dict[str, Any]:
    rows.sort(key=lambda row: -row[0])
    return {
        "type": "sampled",
        "name": name,
        "unit": "seconds",
        "startValue": 0.0,
        "endValue": sum(seconds for seconds, _ in rows),
        "samples": [
            [numbers.setdefault(frame, len(numbers)) for frame in stack.frames] for _, stack in rows
        ],
        "weights": [seconds for seconds, _ in rows],
    }


def _frame(frame: Frame) -> dict[str, Any]:
    return {"name": frame.function.name, "file": frame.function.file, "line": frame.line}


def _place(frame: Mapping[str, Any]) -> Place:
    return (str(frame.get("file") or "~"), str(frame["name"]), int(frame.get("line") or 0))


_UNITS_S = {
    "seconds": 1.0,
    "milliseconds": 1e-3,
    "microseconds": 1e-6,
    "nanoseconds": 1e-9,
}


def _stacks(profile: Mapping[str, Any], frames: Sequence[Frame]) -> list[Stack]:
    unit_s = _UNITS_S.get(profile["unit"], 0.0)
    sums: dict[tuple[int, ...], list[float]] = {}
    for sample, weight in zip(profile["samples"], profile["weights"], strict=True):
        seen = sums.setdefault(tuple(sample), [0, 0.0])
        seen[0] += 1
        seen[1] += weight * unit_s
    thread, state = _thread_and_state(str(profile["name"]))
    return [
        Stack(
            frames=tuple(frames[number] for number in sample),
            state=state,
            thread=thread,
            samples=int(count),
            wall_s=seconds,
            cpu_s=seconds if state == "running" else 0.0,
        )
        for sample, (count, seconds) in sums.items()
    ]


def _thread_and_state(name: str) -> tuple[str, State]:
    for state in get_args(State):
        if name.endswith(f" ({state})"):
            return name.removesuffix(f" ({state})"), state
    if name.startswith("Thread ") and name.endswith('"'):  # as py-spy names them
        return name.partition('"')[2][:-1], "running"
    return name, "running"
