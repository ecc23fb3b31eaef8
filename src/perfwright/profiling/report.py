"""A profile's bottlenecks as text for people, and as plain data for programs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from perfwright.profiling.bottleneck import Bottleneck, BottleneckKind
from perfwright.profiling.model import Async, Frame, Function, Memory, Profile

MEGABYTE = 1024 * 1024
_MUCH_TRACED = 0.25
"""Of a run's time: then people should know that times may be distorted."""


def text_report(profile: Profile, bottlenecks: Sequence[Bottleneck], *, top_n: int = 10) -> str:
    """Write the costliest bottlenecks first, each with what it costs and why it is one.

    Args:
        profile: What the run as a whole took.
        bottlenecks: Costliest first.
        top_n: How many are shown; 1 or more.
    """
    shown = bottlenecks[:top_n]
    lines = [*_head(profile), ""]
    for rank, bottleneck in enumerate(shown, start=1):
        lines += [f"{rank}. {place(bottleneck.function)}", *_body(bottleneck), ""]
    if not shown:
        lines += ["No bottleneck was seen: the run was idle, or too short to be sampled.", ""]
    if left := len(bottlenecks) - len(shown):
        lines += [f"{left} more, of less weight.", ""]
    return "\n".join(lines)


def place(function: Function) -> str:
    """Name a function as `path/file.py:45:function`, from the working folder where it is inside.

    Always one line, whatever characters names are made of.
    """
    file = function.file
    if file.startswith(os.sep):
        relative = os.path.relpath(file)
        file = file if relative.startswith(os.pardir) else relative
    return one_line(f"{file}:{function.line}:{function.name}")


def one_line(text: str) -> str:
    """Return a text with escapes for what would begin a new line, or is not shown at all."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def document(profile: Profile, bottlenecks: Sequence[Bottleneck]) -> dict[str, Any]:
    """Return the same as data that JSON can hold; durations in seconds, sizes in bytes."""
    return {
        "wall_s": profile.wall_s,
        "cpu_s": profile.cpu_s,
        "counting_s": profile.counting_s,
        "tracing_s": profile.tracing_s,
        "samples": sum(stack.samples for stack in profile.stacks),
        "work": profile.work,
        "bottlenecks": [bottleneck_document(each) for each in bottlenecks],
        "memory": _memory(profile.memory),
        "async": _async(profile.asyncio),
        "cost": asdict(profile.cost),
    }


def bottleneck_document(bottleneck: Bottleneck) -> dict[str, Any]:
    """Return one bottleneck as data that JSON can hold."""
    function = bottleneck.function
    return {
        "file": function.file,
        "line": function.line,
        "function": function.name,
        "score": bottleneck.score,
        "kind": str(bottleneck.kind),
        "confidence": bottleneck.confidence,
        "evidence": bottleneck.evidence,
        "lines": list(bottleneck.lines),
        "self_s": bottleneck.self_s,
        "cumulative_s": bottleneck.cumulative_s,
        "awaiting_s": bottleneck.awaiting_s,
        "calls": bottleneck.calls,
        "memory_bytes": bottleneck.memory_bytes,
        "callers": [place(caller) for caller in bottleneck.callers],
    }


# --- Text -----------------------------------------------------------------------------------------


def _head(profile: Profile) -> Iterator[str]:
    samples = sum(stack.samples for stack in profile.stacks)
    parts = [f"{profile.wall_s:.2f} s, {profile.cpu_s:.2f} s of it on a CPU"]
    if more := _more(profile):
        parts[0] += f" (and {' and '.join(more)})"
    if samples:
        parts.append(f"{samples:,} samples")
    if profile.memory is not None and profile.memory.process_peak_bytes:
        parts.append(_size(profile.memory))
    if profile.asyncio is not None and profile.asyncio.lag_max_s:
        parts.append(f"event loop held for up to {profile.asyncio.lag_max_s * 1e3:.0f} ms")
    yield f"Profile of {', '.join(parts)}"
    if profile.stacks and not samples:
        yield "Too short to be sampled: times and places are reckoned from the counted calls."
    cost = profile.cost
    if cost.wanted_hz and cost.rate_hz < cost.wanted_hz:
        yield (
            f"Sampled at {cost.rate_hz:.0f} instead of {cost.wanted_hz:.0f} times a second, "
            "to keep within the profiler's own cap."
        )
    memory = profile.memory
    if memory is not None and memory.traced_s > _MUCH_TRACED * profile.wall_s:
        yield (
            f"Allocations were traced for {memory.traced_s:.2f} s, which slows what allocates"
            f"{_times_slower(memory)}: enable_memory=False shows undisturbed times."
        )


def _times_slower(memory: Memory) -> str:
    return f" (here {memory.slowdown:.1f} times)" if memory.slowdown else ""


def _more(profile: Profile) -> list[str]:
    """Name what the profiler itself took, and what is taken out of all times."""
    spent = ((profile.counting_s, "counting calls"), (profile.tracing_s, "tracing allocations"))
    return [f"{seconds:.2f} s more for {what}" for seconds, what in spent if seconds]


def _size(memory: Memory) -> str:
    peak, more = memory.process_peak_bytes, memory.process_peak_bytes - memory.process_start_bytes
    return (
        f"process of up to {peak / MEGABYTE:.1f} MB "
        f"({more / MEGABYTE:.1f} MB more than at the start)"
    )


def _body(bottleneck: Bottleneck) -> Iterator[str]:
    yield f"   Bottleneck Score: {bottleneck.score:.2f}/100"
    awaiting_s = bottleneck.awaiting_s
    suspended = f" ({awaiting_s:.4f}s of it awaiting)" if awaiting_s else ""
    yield f"   Cumulative Time: {bottleneck.cumulative_s + awaiting_s:.4f}s{suspended}"
    if bottleneck.calls is not None:
        yield f"   Calls: {bottleneck.calls}"
    if bottleneck.memory_bytes is not None:
        yield f"   Memory: {bottleneck.memory_bytes / MEGABYTE:.2f} MB"
    if bottleneck.kind is not BottleneckKind.UNKNOWN:
        yield f"   Kind: {bottleneck.kind} (confidence {bottleneck.confidence:.2f})"
    if bottleneck.evidence:
        yield f"   Why: {one_line(bottleneck.evidence)}"
    if bottleneck.lines:
        yield f"   Lines: {', '.join(str(line) for line in bottleneck.lines[:5])}"
    if bottleneck.callers:
        yield f"   Called by: {', '.join(place(caller) for caller in bottleneck.callers[:3])}"


# --- Data -----------------------------------------------------------------------------------------


def _memory(memory: Memory | None) -> dict[str, Any] | None:
    if memory is None:
        return None
    return {
        "process_start_bytes": memory.process_start_bytes,
        "process_peak_bytes": memory.process_peak_bytes,
        "start_bytes": memory.start_bytes,
        "end_bytes": memory.end_bytes,
        "peak_bytes": memory.peak_bytes,
        "traced_s": memory.traced_s,
        "slowdown": memory.slowdown,
        "notes": list(memory.notes),
        "growth": [
            {"at": _at(each.frame), "size_bytes": each.size_bytes, "count": each.count}
            for each in memory.growth
        ],
        "leaks": [
            {
                "at": _at(leak.frame),
                "growth_bytes": leak.growth_bytes,
                "slope_bytes_per_s": leak.slope_bytes_per_s,
                "owner": leak.owner,
                "confidence": leak.confidence,
            }
            for leak in memory.leaks
        ],
    }


def _async(seen: Async | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {
        "lag_max_s": seen.lag_max_s,
        "notes": list(seen.notes),
        "tasks": [
            {
                "function": place(each.function),
                "tasks": each.tasks,
                "steps": each.steps,
                "on_loop_s": each.on_loop_s,
                "awaiting_s": each.awaiting_s,
                "longest_step_s": each.longest_step_s,
            }
            for each in seen.tasks
        ],
        "blocks": [
            {
                "at": _at(block.frames[-1]) if block.frames else "",
                "stack": [_at(frame) for frame in block.frames],
                "count": block.count,
                "total_s": block.total_s,
                "longest_s": block.longest_s,
                "on_cpu_ratio": block.on_cpu_ratio,
            }
            for block in seen.blocks
        ],
        "awaits": [
            {
                "at": _at(site.frame),
                "awaited": site.awaited,
                "count": site.count,
                "total_s": site.total_s,
            }
            for site in seen.sites
        ],
    }


def _at(frame: Frame) -> str:
    return f"{place(Function(frame.function.file, frame.line, frame.function.name))}"
