"""Charging, and which place comes first."""

from __future__ import annotations

import sys
from dataclasses import replace
from textwrap import dedent

import pytest

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis import OwnCode, diagnose
from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.diagnosis.run import Run, c_name
from perfwright.profiling.model import (
    Async,
    Call,
    Function,
    Leak,
    LoopBlock,
    Memory,
    Profile,
    Stack,
)

TEXT = """
    import zlib
    def pack(rows):
        return [zlib.compress(row) for row in rows]
    def size(rows):
        total = 0
        for row in rows:
            total += weigh(row)
        return total
    def weigh(row):
        return row.weight
    def main(rows):
        pack(rows)
        size(rows)
"""


def names(profile: Profile, *, own: OwnCode | None = None) -> list[str]:
    return [b.function.name for b in diagnose(profile, own=own)]


def test_time_in_a_library_is_charged_to_the_nearest_own_caller() -> None:
    profile = example(TEXT, ("pack(rows)", "zlib.compress(row)", ("gzip.py", "compress")))
    found = diagnose(profile)[0]
    assert found.function.name == "pack"
    assert found.self_s == pytest.approx(1.0)


def test_comprehensions_are_part_of_their_function() -> None:
    profile = example(TEXT, ("pack(rows)", "zlib.compress(row)"))
    inner = profile.stacks[0].frames[-1]
    folded = Function(inner.function.file, inner.line, "pack.<locals>.<listcomp>")
    frames = (*profile.stacks[0].frames, replace(inner, function=folded))
    profile = replace(profile, stacks=(replace(profile.stacks[0], frames=frames),))
    assert names(profile)[0] == "pack"


def test_recursion_counts_once() -> None:
    profile = example("def f(n):\n    return f(n - 1)\n", ("return f", "return f", "return f"))
    assert diagnose(profile)[0].cumulative_s == pytest.approx(1.0)


def test_a_tiny_helper_is_laid_at_the_loop_that_calls_it() -> None:
    profile = example(
        TEXT, ("total += weigh", "return row.weight"), ("total += weigh",), ("total += weigh",)
    )
    assert names(profile)[0] == "size"


def test_idle_threads_cost_nothing() -> None:
    assert diagnose(example(TEXT, ("size(rows)",), state="idle")) == []


def test_waiting_for_other_threads_costs_nothing() -> None:
    profile = example(TEXT, ("size(rows)", ("threading.py", "join")), state="waiting")
    assert diagnose(profile) == []


def test_a_thread_that_only_lacks_a_processor_does_not_wait() -> None:
    assert Run(example(TEXT, ("return row.weight",), state="waiting")).total_s == 0


def test_module_level_code_comes_after_functions() -> None:
    profile = example(TEXT + "\n    main([])\n", ("main([])",), ("main([])", "total += weigh"))
    assert names(profile)[0] == "size"


def test_a_named_package_may_be_the_culprit() -> None:
    package = "/venv/lib/python3.11/site-packages/slug.py"
    text = "def slug(name):\n    return name.lower()\n"
    frame = frame_of(text, "return name")
    there = replace(frame, function=replace(frame.function, file=package))
    stack = example(text, ("return name",)).stacks[0]
    profile = Profile(
        wall_s=1.0, cpu_s=1.0, stacks=(replace(stack, frames=(there,)),), sources={package: text}
    )
    assert names(profile) == []
    assert names(profile, own=OwnCode(named=("slug",))) == ["slug"]


def test_a_kind_that_is_not_sure_is_called_unknown() -> None:
    found = diagnose(example(TEXT, ("zlib.compress(row)",)))[0]
    assert found.kind is BottleneckKind.UNKNOWN
    assert found.confidence == 0.0


def test_stacks_alone_suffice() -> None:
    profile = example(TEXT, ("total += weigh",))
    assert diagnose(profile)[0].calls is None


def test_counted_calls_are_reported_with_their_callers() -> None:
    profile = example(
        TEXT,
        ("total += weigh", "return row.weight"),
        calls={("total += weigh", "def weigh"): 7, ("size(rows)", "def size"): 1},
    )
    weigh = next(b for b in diagnose(profile) if b.function.name == "weigh")
    assert weigh.calls == 7
    assert [caller.name for caller in weigh.callers] == ["size"]


def test_no_more_than_asked_for_are_returned() -> None:
    assert len(diagnose(example(TEXT, ("size(rows)", "total += weigh")), top_n=1)) == 1


def test_an_empty_profile_has_no_bottlenecks() -> None:
    assert diagnose(Profile(wall_s=0.0, cpu_s=0.0)) == []


def test_a_repeated_request_of_the_top_explains_what_is_below_it() -> None:
    text = """
        def rates(country):
            return {zone: zone * len(country) for zone in range(1000)}
        def quotes(parcels, country):
            for parcel in parcels:
                table = rates(country)
                yield table[parcel.zone]
    """
    found = diagnose(example(text, ("= rates(country)", "return {zone")))
    assert [b.function.name for b in found[:2]] == ["quotes", "rates"]
    assert found[1].score < found[0].score / 2


def test_time_of_a_last_operation_goes_back_to_its_function() -> None:
    text = dedent(
        """
        class Page:
            def line(self, row):
                self.text += f"{row};"
        def fill(page, rows):
            for row in rows:
                page.line(row)
        """
    )
    profile = example(text, ("page.line(row)",))
    line, fill = (frame_of(text, f"def {n}(").function for n in ("line", "fill"))
    calls = (
        Call(caller=fill, callee=line, count=100, self_s=0.9, cumulative_s=0.9),
        Call(caller=None, callee=fill, count=1, self_s=0.1, cumulative_s=1.0),
    )
    first = diagnose(replace(profile, calls=calls))[0]
    assert first.function.name == "Page.line"
    assert first.self_s == pytest.approx(0.9)


def test_a_blocked_loop_is_measured_against_the_whole_run() -> None:
    frames = (frame_of(TEXT, "size(rows)"), frame_of(TEXT, "total += weigh"))
    block = LoopBlock(frames=frames, count=3, total_s=5.0, longest_s=2.0, on_cpu_ratio=0.1)
    profile = replace(example(TEXT), wall_s=10.0, asyncio=Async(blocks=(block,)))
    found = diagnose(profile)[0]
    assert found.kind is BottleneckKind.BLOCKING_IN_ASYNC
    assert found.score == pytest.approx(45.0)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("list.append", "list.append"),
        ("builtins.sorted", "sorted"),
        ("<method 'pop' of 'list' objects>", "list.pop"),
        ("<built-in method time.sleep>", "time.sleep"),
    ],
)
def test_c_functions_have_short_names(raw: str, name: str) -> None:
    assert c_name(Function("~", 0, raw)) == name


def test_samples_without_own_code_are_no_bottleneck() -> None:
    library = Stack(
        frames=(frame_of("", ("json/decoder.py", "decode")),),
        state="running",
        thread="t",
        samples=1,
        wall_s=1.0,
        cpu_s=1.0,
    )
    assert diagnose(Profile(wall_s=1.0, cpu_s=1.0, stacks=(library,))) == []


def test_one_kind_on_several_lines_is_one_bottleneck() -> None:
    text = """
        class Plan:
            def __init__(self, guests):
                self.order = list(guests)
            def swap(self, a, b):
                i = self.order.index(a)
                j = self.order.index(b)
                return i, j
        def run(plan, pairs):
            for a, b in pairs:
                plan.swap(a, b)
    """
    run = "plan.swap(a, b)"
    found = diagnose(example(text, (run, "i = self"), (run, "j = self")))[0]
    assert found.kind is BottleneckKind.LINEAR_SCAN
    assert found.score == pytest.approx(85.0)
    assert len(found.lines) == 2


def test_an_unknown_cause_says_on_which_line_and_in_which_library_the_time_goes() -> None:
    text = """
        def page(template, rows):
            title = rows[0]
            return template.render(rows=rows, title=title)
    """
    library = ("site-packages/jinja2/environment.py", "Template.render")
    (found,) = diagnose(example(text, ("template.render", library)))
    assert found.kind is BottleneckKind.UNKNOWN
    assert (
        "nearly all of it on line 4 (`template.render(rows=rows, title=title)`)" in found.evidence
    )
    assert "nearly all in `jinja2.Template.render`" in found.evidence


def test_time_that_passes_through_a_function_is_not_said_to_be_spent_there() -> None:
    text = """
        def work(rows):
            return rows.go()
        def main(all_rows):
            work(all_rows)
    """
    profile = example(text, ("work(all_rows)", "rows.go()"))
    evidence = {each.function.name: each.evidence for each in diagnose(profile)}
    assert evidence["main"] == "100 % of the time passed in what it calls, nearly all in `work`"


def test_callers_are_own_functions_where_there_are_any() -> None:
    profile = example(TEXT, ("pack(rows)", "zlib.compress(row)"))
    pack = frame_of(TEXT, "def pack").function
    main = frame_of(TEXT, "def main").function
    library = Function("~", 0, "<method 'run' of '_contextvars.Context' objects>")
    calls = tuple(
        Call(caller=caller, callee=pack, count=count, self_s=0.0, cumulative_s=0.0)
        for caller, count in ((library, 1000), (main, 3))
    )
    assert diagnose(replace(profile, calls=calls))[0].callers == (main,)


def test_a_large_program_is_diagnosed_in_little_time() -> None:
    """Work per function must not grow with their number: a rule once took a minute for 3,000."""
    count = 400
    text = "".join(
        f"class C{n}:\n    def step{n}(self, rows):\n        self.kept{n} = rows\n"
        f"        C{(n * 7) % count}().step{(n * 7) % count}(rows)\n"
        for n in range(count)
    )
    stacks = [(f"self.kept{n} = rows",) for n in range(0, count, 8)]
    leaks = tuple(
        Leak(
            frame=frame_of(text, f"self.kept{n} = rows"),
            growth_bytes=4 << 20,
            slope_bytes_per_s=1e6,
            owner="",
            confidence=0.9,
        )
        for n in range(0, count, 40)
    )
    memory = Memory(start_bytes=0, end_bytes=40 << 20, peak_bytes=40 << 20, leaks=leaks)
    profile = example(text, *stacks, memory=memory)
    calls = 0

    def count_calls(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count_calls)
    try:
        diagnose(profile)
    finally:
        sys.setprofile(None)
    assert calls < 1_000 * count
