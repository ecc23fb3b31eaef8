import math
import random
from collections import Counter
from typing import Any

import pytest

from perfwright.core.errors import ConfigError, ProfilerError
from perfwright.profiling.diff import Change, compare
from perfwright.profiling.model import Frame, Function, Profile, Stack, State

RATE_HZ = 100.0


def function(name: str, *, file: str = "/app/shop.py", line: int = 1) -> Function:
    return Function(file, line, name)


def stack(*path: Function, samples: int, state: State = "running") -> Stack:
    seconds = samples / RATE_HZ
    return Stack(
        frames=tuple(Frame(item, item.line) for item in path),
        state=state,
        thread="MainThread",
        samples=samples,
        wall_s=seconds,
        cpu_s=seconds if state == "running" else 0.0,
    )


def profile(*stacks: Stack, work: float = 0.0, wall_s: float = 10.0) -> Profile:
    return Profile(wall_s=wall_s, cpu_s=wall_s, stacks=stacks, work=work)


def simple(work: float = 0.0, wall_s: float = 10.0, **samples: int) -> Profile:
    main = function("main")
    stacks = [stack(main, function(name), samples=count) for name, count in samples.items()]
    return profile(*stacks, work=work, wall_s=wall_s)


def of(changes: tuple[Change, ...], name: str) -> Change:
    return next(item for item in changes if item.function.name == name)


def test_what_got_slower_comes_first() -> None:
    diff = compare(simple(parse=200, render=300), simple(parse=600, render=310, wall_s=14.0))
    assert [item.function.name for item in diff.slower] == ["parse"]
    assert diff.changes[0].function.name == "parse"


def test_a_difference_within_the_noise_is_not_certain() -> None:
    change = of(compare(simple(parse=100), simple(parse=115)).changes, "parse")
    assert not change.is_certain
    assert change.low_s < change.difference_s < change.high_s


def test_time_is_divided_by_work_where_it_is_known() -> None:
    diff = compare(simple(parse=200, work=100), simple(parse=400, work=200, wall_s=20.0))
    assert diff.unit == "work"
    assert of(diff.changes, "parse").difference_s == pytest.approx(0.0)


def test_without_work_time_is_divided_by_the_seconds_that_passed() -> None:
    diff = compare(simple(parse=200, wall_s=10.0), simple(parse=400, wall_s=20.0))
    assert diff.unit == "second"
    assert diff.before_s == diff.after_s == pytest.approx(0.2)


def test_a_function_that_moved_to_another_line_is_the_same() -> None:
    before = profile(stack(function("parse", line=10), samples=300))
    after = profile(stack(function("parse", line=90), samples=300))
    (change,) = compare(before, after).changes
    assert change.difference_s == 0.0


def test_a_function_of_another_checkout_is_the_same() -> None:
    before = profile(stack(function("parse", file="/old/app/shop.py"), samples=300))
    after = profile(stack(function("parse", file="/new/app/shop.py"), samples=300))
    assert len(compare(before, after).changes) == 1


def test_namesakes_are_told_apart_by_their_files() -> None:
    both = [function("main", file=f"/x/{name}/cli.py") for name in ("a", "b")]
    before = profile(*(stack(item, samples=n) for item, n in zip(both, (100, 400), strict=True)))
    after = profile(*(stack(item, samples=n) for item, n in zip(both, (400, 100), strict=True)))
    differences = {item.function.file: item.difference_s for item in compare(before, after).changes}
    assert differences == {
        "/x/a/cli.py": pytest.approx(0.3),
        "/x/b/cli.py": pytest.approx(-0.3),
    }


def test_a_new_function_is_slower_than_none() -> None:
    diff = compare(simple(parse=300), simple(parse=300, audit=200))
    assert [item.function.name for item in diff.slower] == ["audit"]


def test_a_function_that_is_gone_is_faster() -> None:
    diff = compare(simple(parse=300, audit=200), simple(parse=300))
    assert [item.function.name for item in diff.faster] == ["audit"]


def test_waiting_counts_but_idle_does_not() -> None:
    waits, idles = function("fetch"), function("loop")
    before = profile(stack(waits, samples=10, state="waiting"), stack(idles, samples=10))
    after = profile(
        stack(waits, samples=500, state="waiting"),
        stack(idles, samples=10),
        stack(idles, samples=900, state="idle"),
    )
    assert [item.function.name for item in compare(before, after).slower] == ["fetch"]


def test_recursion_counts_once_in_cumulative_time() -> None:
    walk = function("walk")
    both = profile(stack(walk, walk, walk, samples=100))
    change = of(compare(both, both).changes, "walk")
    assert change.cumulative_before_s == change.before_s == pytest.approx(0.1)


def test_differences_between_runs_widen_the_bounds() -> None:
    steady = [simple(parse=n) for n in (400, 404, 396)]
    shaky = [simple(parse=n) for n in (200, 900, 250)]
    change = of(compare(steady, shaky).changes, "parse")
    alone = of(compare(steady[0], shaky[1]).changes, "parse")
    assert alone.is_certain
    assert not change.is_certain


def _sampled(rng: random.Random, shares: dict[str, float]) -> Profile:
    names = rng.choices(list(shares), list(shares.values()), k=500)
    return simple(**Counter(names))


def test_two_profiles_of_the_same_program_seldom_differ() -> None:
    rng = random.Random(7)
    shares = {f"f{number}": 1.0 / (number + 1) for number in range(30)}
    alarms = sum(
        bool({*diff.slower, *diff.faster})
        for diff in (compare(_sampled(rng, shares), _sampled(rng, shares)) for _ in range(100))
    )
    assert alarms <= 10


def test_a_doubled_function_is_found() -> None:
    rng = random.Random(8)
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    found = [
        item.function.name
        for item in compare(_sampled(rng, shares), _sampled(rng, shares | {"c": 0.6})).slower
    ]
    assert found == ["c"]


def test_a_profile_without_samples_cannot_be_compared() -> None:
    with pytest.raises(ProfilerError, match="record for longer"):
        compare(profile(), simple(parse=1))


def test_no_profiles_cannot_be_compared() -> None:
    with pytest.raises(ProfilerError, match="no samples"):
        compare([], [simple(parse=1)])


def test_comparing_by_work_needs_work() -> None:
    with pytest.raises(ProfilerError, match="unit='second'"):
        compare(simple(parse=1), simple(parse=1), unit="work")


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, float("nan")])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(ConfigError, match="confidence"):
        compare(simple(parse=1), simple(parse=1), confidence=confidence)


def test_a_unit_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="unit"):
        compare(Profile(wall_s=1.0, cpu_s=1.0), Profile(wall_s=1.0, cpu_s=1.0), unit="foo")  # type: ignore[arg-type]


@pytest.mark.parametrize("unit", ["foo", "", 1])
def test_an_unknown_unit_is_refused(unit: Any) -> None:
    with pytest.raises(ConfigError, match="unit"):
        compare([], [], unit=unit)


@pytest.mark.parametrize("confidence", ["0.9", None, math.nan, 1, True])
def test_a_confidence_that_is_no_number_is_refused(confidence: Any) -> None:
    with pytest.raises(ConfigError, match="confidence"):
        compare([], [], confidence=confidence)
