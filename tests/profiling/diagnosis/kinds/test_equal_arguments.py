"""The same arguments again."""

from __future__ import annotations

from dataclasses import replace

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.diagnosis.ranking import diagnose
from perfwright.profiling.model import Arguments, Profile
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
