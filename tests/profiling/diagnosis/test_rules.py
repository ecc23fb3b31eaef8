"""What holds for every rule that names a kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis import diagnose
from perfwright.profiling.diagnosis.claim import KindRule
from perfwright.profiling.diagnosis.examples import FILE
from perfwright.profiling.diagnosis.ranking import all_rules
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.model import Frame, Function, Profile, Stack

RULES = all_rules()
TESTS = Path(__file__).parent / "kinds"
EMPTY = Profile(wall_s=0.0, cpu_s=0.0)

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


@every_rule
def test_it_fires_on_its_example(rule: KindRule) -> None:
    claims = list(rule.find(Run(rule.fires_on)))
    assert claims
    assert {claim.kind for claim in claims} == {rule.kind}
    assert all(claim.evidence for claim in claims)
    assert all(0 < claim.confidence <= 1 for claim in claims)


@every_rule
def test_its_kind_is_the_first_that_is_reported_for_its_example(rule: KindRule) -> None:
    assert diagnose(rule.fires_on)[0].kind is rule.kind


@every_rule
def test_it_is_silent_on_its_counterexample(rule: KindRule) -> None:
    assert list(rule.find(Run(rule.silent_on))) == []


@every_rule
def test_it_is_silent_on_an_empty_profile(rule: KindRule) -> None:
    assert list(rule.find(Run(EMPTY))) == []


@every_rule
def test_it_answers_the_same_twice(rule: KindRule) -> None:
    assert list(rule.find(Run(rule.fires_on))) == list(rule.find(Run(rule.fires_on)))


@every_rule
def test_it_claims_nothing_without_sources(rule: KindRule) -> None:
    blind = replace(rule.fires_on, sources={})
    assert all(0 <= claim.confidence <= 1 for claim in rule.find(Run(blind)))


@every_rule
def test_it_says_what_to_do_and_where_it_ends(rule: KindRule) -> None:
    assert rule.title[0].isupper()
    assert rule.why.endswith(".")
    assert rule.limits.endswith(".")


@every_rule
def test_it_has_a_test_file(rule: KindRule) -> None:
    assert (TESTS / f"test_{rule.id.replace('-', '_')}.py").is_file()


def test_every_kind_but_unknown_has_a_rule() -> None:
    assert {rule.kind for rule in RULES} == set(BottleneckKind) - {BottleneckKind.UNKNOWN}


@settings(max_examples=30, deadline=None)
@given(
    data=st.data(),
    rule=st.sampled_from(RULES),
)
def test_whatever_lines_are_hot_the_scores_are_percents_in_descending_order(
    data: st.DataObject, rule: KindRule
) -> None:
    text = rule.fires_on.sources[FILE]
    lines = st.integers(0, text.count("\n") + 3)
    names = st.sampled_from(["<module>", "page", "find.<locals>.<listcomp>", "<lambda>"])
    frames = st.lists(
        st.builds(
            Frame, st.builds(Function, st.sampled_from([FILE, "~", "<x>"]), lines, names), lines
        ),
        max_size=5,
    )
    stacks = data.draw(
        st.lists(
            st.builds(
                Stack,
                frames=frames.map(tuple),
                state=st.sampled_from(["running", "waiting", "idle", "awaiting"]),
                thread=st.sampled_from(["a", "b"]),
                samples=st.integers(1, 9),
                wall_s=st.floats(0, 10),
                cpu_s=st.floats(0, 10),
            ),
            max_size=8,
        )
    )
    found = diagnose(replace(rule.fires_on, stacks=tuple(stacks)))
    scores = [bottleneck.score for bottleneck in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 100 for score in scores)
    assert len({bottleneck.function for bottleneck in found}) == len(found)
