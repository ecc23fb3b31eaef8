import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core.errors import ProfilerError
from perfwright.profiling.formats import (
    from_collapsed,
    from_json,
    from_speedscope,
    to_collapsed,
    to_json,
    to_speedscope,
)
from perfwright.profiling.model import (
    Allocation,
    Async,
    AwaitSite,
    Call,
    Frame,
    Function,
    Leak,
    LoopBlock,
    Memory,
    Profile,
    SamplerCost,
    Stack,
    TaskTimes,
)

names = st.text(min_size=1, max_size=20)
functions = st.builds(Function, names, st.integers(0, 10_000), names)
frames = st.builds(Frame, functions, st.integers(0, 10_000))
seconds = st.floats(0.0, 1e6)
stacks = st.builds(
    Stack,
    frames=st.lists(frames, min_size=1, max_size=5).map(tuple),
    state=st.sampled_from(["running", "waiting", "idle", "awaiting"]),
    thread=names,
    samples=st.integers(0, 1_000),
    wall_s=seconds,
    cpu_s=seconds,
)
allocations = st.builds(
    Allocation, frame=frames, size_bytes=st.integers(), count=st.integers(), callers=st.just(())
)
memories = st.builds(
    Memory,
    start_bytes=st.integers(),
    end_bytes=st.integers(),
    peak_bytes=st.integers(),
    growth=st.lists(allocations, max_size=2).map(tuple),
    leaks=st.lists(
        st.builds(
            Leak,
            frame=frames,
            growth_bytes=st.integers(),
            slope_bytes_per_s=seconds,
            owner=names,
            confidence=seconds,
            callers=st.lists(frames, max_size=2).map(tuple),
        ),
        max_size=1,
    ).map(tuple),
)
loops = st.builds(
    Async,
    tasks=st.lists(
        st.builds(
            TaskTimes,
            function=functions,
            tasks=st.integers(),
            steps=st.integers(),
            on_loop_s=seconds,
            awaiting_s=seconds,
            longest_step_s=seconds,
        ),
        max_size=1,
    ).map(tuple),
    blocks=st.lists(
        st.builds(
            LoopBlock,
            frames=st.lists(frames, max_size=2).map(tuple),
            count=st.integers(),
            total_s=seconds,
            longest_s=seconds,
            on_cpu_ratio=seconds,
        ),
        max_size=1,
    ).map(tuple),
    sites=st.lists(
        st.builds(AwaitSite, frame=frames, awaited=names, count=st.integers(), total_s=seconds),
        max_size=1,
    ).map(tuple),
)
profiles = st.builds(
    Profile,
    wall_s=seconds,
    cpu_s=seconds,
    stacks=st.lists(stacks, max_size=4).map(tuple),
    calls=st.lists(
        st.builds(
            Call,
            caller=st.none() | functions,
            callee=functions,
            count=st.integers(),
            self_s=seconds,
            cumulative_s=seconds,
        ),
        max_size=3,
    ).map(tuple),
    memory=st.none() | memories,
    asyncio=st.none() | loops,
    cost=st.builds(SamplerCost, cpu_s=seconds),
    sources=st.dictionaries(names, names, max_size=2),
    work=seconds,
)


def stack(*places: tuple[str, int], cpu_s: float = 1.0, state: str = "running") -> Stack:
    return Stack(
        frames=tuple(
            Frame(Function("/app/shop.py", line, name), line + 1) for name, line in places
        ),
        state=state,  # type: ignore[arg-type]
        thread="MainThread",
        samples=3,
        wall_s=cpu_s,
        cpu_s=cpu_s if state == "running" else 0.0,
    )


@given(profiles)
def test_json_gives_back_an_equal_profile(profile: Profile) -> None:
    assert from_json(to_json(profile)) == profile


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"what": "perfwright profile", "version": 2}',
        '{"what": "perfwright profile", "version": 1, "functions": [], "frames": [],'
        ' "profile": {}}',
        '{"what": "perfwright profile", "version": 1, "functions": [], "frames": [[0, 1]]}',
    ],
)
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(ProfilerError, match="not a profile that can be read"):
        from_json(text)


def test_collapsed_text_is_what_flame_graph_tools_read() -> None:
    text = to_collapsed([stack(("main", 1), ("total", 9), cpu_s=0.25)])
    assert text == "main (/app/shop.py:2);total (/app/shop.py:10) 250000\n"


def test_equal_stacks_are_added_up_in_collapsed_text() -> None:
    twice = [stack(("main", 1), cpu_s=0.25), stack(("main", 1), cpu_s=0.5, state="waiting")]
    assert to_collapsed(twice) == "main (/app/shop.py:2) 750000\n"


def test_idle_time_is_no_work_but_is_part_of_the_wall() -> None:
    idle = [stack(("main", 1), state="idle")]
    assert to_collapsed(idle) == ""
    assert to_collapsed(idle, weight="wall") == "main (/app/shop.py:2) 1000000\n"


def test_collapsed_text_can_tell_threads_apart() -> None:
    text = to_collapsed([stack(("main", 1))], threads=True)
    assert text.startswith("thread MainThread;main ")


@given(st.lists(stacks, max_size=5))
def test_a_hostile_name_does_not_break_a_line_of_collapsed_text(given: list[Stack]) -> None:
    text = to_collapsed(given, weight="wall")
    assert all(line.rpartition(" ")[2].isdecimal() for line in text.split("\n") if line)


def test_collapsed_text_of_py_spy_is_read() -> None:
    found = from_collapsed(
        "<module> (/x/a.py:9);Cart.total (/x/a.py:3) 40\n<module> (/x/a.py:9) 2\n",
        seconds_per_count=0.01,
    )
    assert [item.cpu_s for item in found] == [pytest.approx(0.4), pytest.approx(0.02)]
    assert found[0].frames[1] == Frame(Function("/x/a.py", 3, "Cart.total"), 3)


def test_two_lines_of_one_function_are_one_function() -> None:
    found = from_collapsed("f (/x/a.py:7) 1\nf (/x/a.py:5) 1\n")
    assert {item.frames[0].function for item in found} == {Function("/x/a.py", 5, "f")}


def decorator(function: object) -> object:
    return function


@decorator
def decorated() -> int:
    return 1


def test_a_function_begins_where_its_source_says() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    line = text.splitlines().index("def decorated() -> int:") + 1
    found = from_collapsed(f"decorated ({__file__}:{line + 1}) 1\n")
    assert found[0].frames[0].function.line == line - 1


@pytest.mark.parametrize("line", ["main", "main x", " 5", "main (a.py:1) -3"])
def test_a_line_without_a_count_is_refused(line: str) -> None:
    with pytest.raises(ProfilerError, match="line 2"):
        from_collapsed(f"a 1\n{line}")


def test_speedscope_documents_follow_the_schema() -> None:
    document = json.loads(
        to_speedscope([stack(("main", 1), ("total", 9)), stack(("main", 1), state="waiting")])
    )
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    count = len(document["shared"]["frames"])
    assert [item["name"] for item in document["profiles"]] == [
        "MainThread (running)",
        "MainThread (waiting)",
    ]
    for profile in document["profiles"]:
        assert profile["type"] == "sampled"
        assert profile["unit"] == "seconds"
        assert len(profile["samples"]) == len(profile["weights"])
        assert profile["endValue"] - profile["startValue"] == pytest.approx(sum(profile["weights"]))
        assert all(0 <= number < count for sample in profile["samples"] for number in sample)


def test_speedscope_without_samples_is_still_a_document() -> None:
    assert json.loads(to_speedscope([]))["profiles"] == []


def test_speedscope_gives_back_stacks_states_and_seconds() -> None:
    given = [stack(("main", 1), ("total", 9), cpu_s=0.5), stack(("main", 1), state="waiting")]
    found = from_speedscope(to_speedscope(given))
    assert [(item.thread, item.state, item.wall_s) for item in found] == [
        ("MainThread", "waiting", 1.0),
        ("MainThread", "running", 0.5),
    ]


def test_a_thread_named_by_py_spy_keeps_its_own_name() -> None:
    document = json.loads(to_speedscope([stack(("main", 1))]))
    document["profiles"][0]["name"] = 'Thread 17 "worker; of (x)"'
    assert from_speedscope(json.dumps(document))[0].thread == "worker; of (x)"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"shared": {"frames": []}, "profiles": [{}]}'])
def test_what_is_no_speedscope_document_is_refused(text: str) -> None:
    with pytest.raises(ProfilerError, match="not a speedscope document"):
        from_speedscope(text)
