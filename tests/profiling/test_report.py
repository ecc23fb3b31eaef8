"""What people and programs are told of a profile."""

from __future__ import annotations

import pytest

from perfwright.profiling.bottleneck import Bottleneck, BottleneckKind
from perfwright.profiling.model import Function, Memory, Profile, SamplerCost
from perfwright.profiling.report import document, text_report

WHERE = Function("/srv/shop/cart.py", 45, "Cart.total")


def bottleneck(kind: BottleneckKind = BottleneckKind.QUADRATIC) -> Bottleneck:
    return Bottleneck(
        function=WHERE,
        score=85.234,
        kind=kind,
        evidence="two loops",
        confidence=0.9,
        self_s=2.0,
        cumulative_s=2.34512,
        calls=123,
        memory_bytes=int(45.67 * 1024 * 1024),
    )


def memory(traced_s: float) -> Memory:
    return Memory(start_bytes=0, end_bytes=1, peak_bytes=2, traced_s=traced_s, notes=("paused",))


def test_a_bottleneck_has_the_documented_form() -> None:
    text = text_report(Profile(wall_s=3.0, cpu_s=2.5), [bottleneck()])
    assert (
        "1. /srv/shop/cart.py:45:Cart.total\n"
        "   Bottleneck Score: 85.23/100\n"
        "   Cumulative Time: 2.3451s\n"
        "   Calls: 123\n"
        "   Memory: 45.67 MB\n"
        "   Kind: quadratic (confidence 0.90)\n"
    ) in text


def test_an_unknown_kind_is_not_named() -> None:
    text = text_report(Profile(wall_s=3.0, cpu_s=2.5), [bottleneck(BottleneckKind.UNKNOWN)])
    assert "Kind:" not in text


@pytest.mark.parametrize(("traced_s", "is_told"), [(0.1, False), (2.0, True)])
def test_a_long_tracing_is_told(traced_s: float, *, is_told: bool) -> None:
    profile = Profile(wall_s=3.0, cpu_s=2.5, memory=memory(traced_s))
    assert ("enable_memory=False" in text_report(profile, [])) is is_told


def test_a_lowered_rate_is_told() -> None:
    cost = SamplerCost(rate_hz=40.0, wanted_hz=100.0)
    assert "at 40 instead of 100" in text_report(Profile(wall_s=1.0, cpu_s=1.0, cost=cost), [])


def test_programs_get_the_notes_of_the_probes() -> None:
    found = document(Profile(wall_s=1.0, cpu_s=1.0, memory=memory(0.5)), [])
    assert (found["memory"]["notes"], found["memory"]["traced_s"]) == (["paused"], 0.5)
