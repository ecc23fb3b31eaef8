"""The same arguments again."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.diagnosis.ranking import diagnose
from perfwright.profiling.model import Arguments, Call, Profile
from tests.profiling.diagnosis.kinds.claims import claims, kinds_in

TEXT = """
    def parse(version):
        return [int(part) for part in version.split(".")]
    def check(version):
        return parse(version) > [2]
    def run(versions):
        for version in versions:
            check(version)
"""


def profile(*, parse: int, check: int) -> Profile:
    """A thousand calls of each function, a hundred looked at, with so many different arguments."""
    seen = example(
        TEXT,
        ("        check(version)", "return parse", "return [int"),
        calls={("return parse", "def parse"): 1000, ("        check(v", "def check"): 1000},
    )
    return replace(
        seen,
        arguments=tuple(
            Arguments(
                function=frame_of(TEXT, f"def {name}").function,
                looks=100,
                distinct=distinct,
                by_value=True,
            )
            for name, distinct in (("parse", parse), ("check", check))
        ),
    )


def test_repetition_that_begins_at_a_call_is_found_there() -> None:
    assert [c.function.name for c in claims("equal_arguments", profile(parse=5, check=90))] == [
        "parse"
    ]


def test_a_program_that_is_fed_the_same_over_and_over_is_not_blamed() -> None:
    assert claims("equal_arguments", profile(parse=5, check=5)) == []


def test_it_gives_way_to_a_sure_cause_of_the_same_time() -> None:
    slow = profile(parse=5, check=90)
    assert diagnose(slow)[0].kind is BottleneckKind.REPEATED_WORK
    changed = TEXT.replace(
        '    def parse(version):\n        return [int(part) for part in version.split(".")]\n',
        "    def parse(version):\n        for a in version:\n            for b in version:\n"
        "                a.join(b)\n        return version\n",
    )
    path = ("        check(version)", "return parse", "a.join(b)")
    fast = replace(slow, stacks=example(changed, path).stacks, sources=example(changed).sources)
    moved = tuple(
        replace(a, function=frame_of(changed, f"def {a.function.name}").function)
        for a in slow.arguments
    )
    found = diagnose(replace(fast, arguments=moved, calls=()))
    assert found[0].kind is BottleneckKind.QUADRATIC


def test_a_call_that_changes_something_must_be_made_each_time() -> None:
    seen = profile(parse=5, check=90)
    changing = TEXT.replace("return [int", "LOG.append(version); return [int")
    assert kinds_in(replace(seen, sources=example(changing).sources)) == {}


def test_a_function_that_returns_nothing_is_called_for_its_effect() -> None:
    seen = profile(parse=5, check=90)
    effect = TEXT.replace("return [int", "parts = [int")
    assert kinds_in(replace(seen, sources=example(effect).sources)) == {}


def test_few_looks_prove_nothing() -> None:
    seen = profile(parse=1, check=90)
    few = tuple(replace(each, looks=5) for each in seen.arguments)
    assert kinds_in(replace(seen, arguments=few)) == {}


def _costing(cost_s: float, *, text: str = TEXT) -> list[str]:
    """What is blamed where a thousand calls took so long."""
    seen = profile(parse=5, check=90)
    stacks = tuple(replace(each, wall_s=1000 * cost_s, cpu_s=1000 * cost_s) for each in seen.stacks)
    seen = replace(seen, stacks=stacks, sources=example(text).sources)
    return [claim.function.name for claim in claims("equal_arguments", seen)]


def test_a_call_that_takes_no_longer_than_a_look_in_a_cache_is_no_fault() -> None:
    assert _costing(5e-6) == ["parse"]
    assert _costing(1e-6) == []


def test_special_methods_are_called_by_the_interpreter() -> None:
    seen = profile(parse=5, check=90)
    text = TEXT.replace("parse", "__eq__")
    moved = tuple(
        replace(a, function=replace(a.function, name=a.function.name.replace("parse", "__eq__")))
        for a in seen.arguments
    )
    path = ("        check(version)", "return __eq__", "return [int")
    calls = {("return __eq__", "def __eq__"): 1000, ("        check(v", "def check"): 1000}
    assert (
        claims("equal_arguments", replace(example(text, path, calls=calls), arguments=moved)) == []
    )


def test_a_few_runs_over_the_same_elements_are_the_programs_input() -> None:
    text = """
        def paths(graph, node):
            return sorted(graph[node])
        def central(graph, seed):
            for node in graph:
                paths(graph, node)
        def bench(graph, seeds):
            for seed in seeds:
                central(graph, seed)
        def main(graph, seeds):
            bench(graph, seeds)
    """
    path = (
        "    bench(graph, seeds)",
        "  central(graph, seed)",
        "  paths(graph, node)",
        "return sorted",
    )

    def blamed(centrals: int) -> list[str]:
        calls = {
            ("  paths(graph, node)", "def paths"): 900,
            ("  central(graph", "def central"): centrals,
        }
        looks = tuple(
            Arguments(
                function=frame_of(dedent(text), f"def {name}").function,
                looks=800, distinct=distinct, by_value=False,
            )
            for name, distinct in (("paths", 60), ("central", 800))
        )  # fmt: skip
        seen = replace(example(text, path, calls=calls), arguments=looks)
        return [claim.function.name for claim in claims("equal_arguments", seen)]

    assert blamed(centrals=15) == []  # 60 nodes each: all of them, each time
    assert blamed(centrals=1) == ["paths"]  # within one call


KEPT = """
    from functools import lru_cache
    class Kept:
        def __init__(self):
            self.values = {{}}
        def get(self, key, *args):
            if key not in self.values:
                self.values[key] = self.work_out(*args)
            return self.values[key]
    class Rates:
        def __init__(self, kept):
            self.kept, self.own = kept, {{}}
        {decorated}
        def worked_out(self, zone):
            return sorted(range(zone))
        def rate(self, parcel):
            return self.kept.get((parcel.zone, parcel.number), parcel.zone)
        def owned(self, parcel):
            key = parcel.zone, parcel.number
            if key not in self.own:
                self.own[key] = self.worked_out(parcel.zone)
            return self.own[key]
        def booked(self, parcel):
            zone = self.worked_out(parcel.zone)
            self.own[parcel.number] = len(zone)
    def day(rates, parcels):
        for parcel in parcels:
            rates.rate(parcel), rates.owned(parcel), rates.booked(parcel)
    def run(rates, parcels):
        day(rates, parcels)
"""


def _kept(*path: str, distinct: int = 5, decorated: str = "") -> list[str]:
    text = dedent(KEPT.format(decorated=decorated))
    seen = example(
        text,
        ("    day(rates, parcels)", "rates.rate(parcel), rates", *path, "return sorted"),
        calls={("rates.rate(parcel), rates", "def worked_out"): 1000},
    )
    worked_out = frame_of(text, "def worked_out").function
    day = frame_of(text, "def day").function
    looks = (
        Arguments(function=worked_out, looks=100, distinct=distinct, by_value=True),
        Arguments(function=day, looks=100, distinct=100, by_value=False),
    )
    called = Call(caller=None, callee=day, count=1, self_s=0.0, cumulative_s=0.0)
    profile = replace(seen, arguments=looks, calls=(*seen.calls, called))
    return [claim.function.name for claim in claims("equal_arguments", profile)]


def test_who_keeps_results_under_a_key_that_always_differs_answers_for_it() -> None:
    owned = _kept("self.own[key] = self.worked_out")
    assert owned == ["Rates.owned", "Rates.worked_out"]


def test_a_cache_that_is_given_its_keys_does_not_answer_for_them() -> None:
    given = _kept("return self.kept.get", "self.values[key] = self.work_out")
    assert given == ["Rates.rate", "Rates.worked_out"]


def test_storing_something_else_is_no_memo() -> None:
    assert _kept("zone = self.worked_out") == ["Rates.worked_out"]


def test_a_cache_too_small_for_few_arguments_forgets_them() -> None:
    small = "@lru_cache(maxsize=4)"
    assert _kept("zone = self.worked_out", decorated=small) == ["Rates.worked_out"]
    assert _kept("zone = self.worked_out", decorated=small, distinct=60) == []


def test_who_makes_equal_objects_is_named_with_the_class() -> None:
    text = """
        class Version:
            def __init__(self, text):
                self.parts = sorted(text)
        def newer(spec, text):
            return Version(text) > spec
        def check(spec, texts):
            return [newer(spec, text) for text in texts]
        def run(spec, texts):
            return check(spec, texts)
    """
    path = ("return check(spec", "newer(spec, text) for", "return Version(text)", "= sorted")
    made = frame_of(dedent(text), "def __init__").function
    called = (
        Call(caller=frame_of(dedent(text), f"def {by}").function, callee=callee, count=count,
             self_s=0.0, cumulative_s=0.0)
        for by, callee, count in (
            ("newer", made, 1000),
            ("run", frame_of(dedent(text), "def check").function, 1),
        )
    )  # fmt: skip
    looks = Arguments(function=made, looks=100, distinct=5, by_value=True)
    profile = replace(example(text, path), arguments=(looks,), calls=tuple(called))
    found = [claim.function.name for claim in claims("equal_arguments", profile)]
    assert found == ["newer", "Version.__init__"]
