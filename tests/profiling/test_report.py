"""What people and programs are told of a profile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.profiling.bottleneck import Bottleneck, BottleneckKind
from perfwright.profiling.model import Frame, Function, Memory, Profile, SamplerCost, Stack
from perfwright.profiling.report import document, place, text_report

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


def test_the_size_of_the_process_is_told_in_words() -> None:
    seen = Memory(
        start_bytes=0,
        end_bytes=0,
        peak_bytes=0,
        process_start_bytes=20 << 20,
        process_peak_bytes=50 << 20,
    )
    text = text_report(Profile(wall_s=1.0, cpu_s=1.0, memory=seen), [])
    assert "process of up to 50.0 MB (30.0 MB more than at the start)" in text


def test_what_the_profiler_took_out_is_told() -> None:
    text = text_report(Profile(wall_s=1.0, cpu_s=0.5, counting_s=0.2, tracing_s=0.1), [])
    more = "(and 0.20 s more for counting calls and 0.10 s more for tracing allocations)"
    assert f"1.00 s, 0.50 s of it on a CPU {more}" in text


def test_time_of_a_coroutine_is_that_of_its_awaits_too() -> None:
    waiting = replace(bottleneck(), awaiting_s=1.0)
    text = text_report(Profile(wall_s=3.0, cpu_s=2.5), [waiting])
    assert "   Cumulative Time: 3.3451s (1.0000s of it awaiting)\n" in text
    assert document(Profile(wall_s=3.0, cpu_s=2.5), [waiting])["bottlenecks"][0]["awaiting_s"] == 1


def test_stacks_that_nobody_sampled_are_not_called_samples() -> None:
    stack = Stack(
        frames=(Frame(WHERE, 45),),
        state="running",
        thread="MainThread",
        samples=0,
        wall_s=0.1,
        cpu_s=0.1,
    )
    text = text_report(Profile(wall_s=0.1, cpu_s=0.1, stacks=(stack,)), [])
    assert "Too short to be sampled" in text
    assert "samples" not in text


@given(st.text(max_size=20))
def test_whatever_a_function_is_called_it_takes_one_line(name: str) -> None:
    text = place(Function("/srv/a\nb.py", 1, name))
    assert len(text.splitlines()) == 1
    assert text.isprintable()
