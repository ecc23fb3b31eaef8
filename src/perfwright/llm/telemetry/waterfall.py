"""A call's stages as text, for the terminal."""

from __future__ import annotations

from perfwright.llm.telemetry.facts import Facts, has_failed
from perfwright.llm.tracing import CallTrace, Stage

_WIDTH = 40


def waterfall(trace: CallTrace) -> str:
    """Draw when each stage of a call began and how long it took.

    The first line tells of the call as a whole, without any content of it. Stages follow in the
    order in which they began, with what is known of them.
    """
    stages = sorted(trace.stages, key=lambda stage: stage.start_s)
    names = max([len(stage.name) for stage in stages], default=0)
    return "\n".join([_head(trace), *(_line(stage, trace=trace, names=names) for stage in stages)])


def _head(trace: CallTrace) -> str:
    facts = Facts(trace)
    words = [trace.operation, facts.model, _seconds(trace.seconds)]
    if facts.endpoint:
        words.append(f"from {facts.endpoint}")
    if facts.cached:
        words.append("cached")
    if (usage := facts.usage) is not None:
        words.append(f"{usage.prompt_tokens}+{usage.completion_tokens} tokens")
    if facts.cost_usd is not None:
        words.append(f"${facts.cost_usd:.6f}")
    if (error_type := facts.error_type) is not None:
        words.append(f"FAILED: {error_type}")
    return "  ".join(word for word in [*words, trace.trace_id[:8]] if word)


def _line(stage: Stage, *, trace: CallTrace, names: int) -> str:
    span_s = max(trace.seconds, 1e-9)
    first = min(int(_WIDTH * max(stage.start_s - trace.start_s, 0.0) / span_s), _WIDTH - 1)
    length = max(min(round(_WIDTH * stage.seconds / span_s), _WIDTH - first), 1)
    bar = f"{' ' * first}{'█' * length}".ljust(_WIDTH)
    facts = stage.facts.items()
    known = [f"{name}={value}" for name, value in facts if value is not None and value is not False]
    words = " ".join(["FAILED", *known] if has_failed(stage) else known)
    return f"  {stage.name:<{names}}  |{bar}|  {_seconds(stage.seconds):>9}  {words}".rstrip()


def _seconds(seconds: float) -> str:
    if seconds >= 1.0:
        return f"{seconds:.2f} s"
    return f"{seconds * 1_000:.1f} ms" if seconds >= 0.000_1 else f"{seconds * 1e6:.0f} us"
