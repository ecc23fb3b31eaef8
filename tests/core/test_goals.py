"""Goals: their grammar, and when they are met."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from perfwright.core import Dimension, Goal, GrammarError, parse_goal


@pytest.mark.parametrize(
    ("text", "metric", "operator", "value", "selector"),
    [
        ("p95<200ms", "p95", "<", 0.2, {}),
        ("p95{route=/checkout}<200ms", "p95", "<", 0.2, {"route": "/checkout"}),
        ("p95{route=/a, verb = GET}<=1s", "p95", "<=", 1.0, {"route": "/a", "verb": "GET"}),
        ("lcp<2.5s", "lcp", "<", 2.5, {}),
        ("throughput>500", "throughput", ">", 500.0, {}),
        ("llm_cost<=-30%", "llm_cost", "<=", -0.3, {}),
        ("write_time<=+10%", "write_time", "<=", 0.1, {}),
        ("  P95 >= 3 ", "p95", ">=", 3.0, {}),
        ("errors=0", "errors", "=", 0.0, {}),
    ],
)
def test_a_goal_is_read(
    text: str, metric: str, operator: str, value: float, selector: dict[str, str]
) -> None:
    goal = parse_goal(text)
    assert (goal.metric, goal.operator, goal.selector) == (metric, operator, selector)
    assert goal.value.value == pytest.approx(value)
    assert goal.text == text


@pytest.mark.parametrize(
    ("text", "points_at", "expected"),
    [
        ("", "", "a metric"),
        ("<200ms", "<200ms", "a metric"),
        ("95p<200ms", "95p<200ms", "a metric"),
        ("p95", "", "one of < <= > >= ="),
        ("p95!200ms", "!200ms", "one of < <= > >= ="),
        ("p95<", "", "a number"),
        ("p95<fast", "fast", "a number"),
        ("p95<200mss", "mss", "a unit"),
        ("p95<200ms!", "!", "nothing more"),
        ("p95<<200ms", "<200ms", "a number"),
        ("p95{route=/x<200ms", "{route=/x<200ms", "a closing }"),
        ("p95{route}<200ms", "route}<200ms", "key=value"),
        ("p95{}<200ms", "}<200ms", "key=value"),
        ("p95{a=1,=2}<200ms", "=2}<200ms", "key=value"),
        ("p95{a=1,a=2}<200ms", "a=2}<200ms", "a only once"),
        ("p95<+-30%", "+-30%", "a number"),
    ],
)
def test_a_wrong_goal_is_refused_with_the_place(text: str, points_at: str, expected: str) -> None:
    with pytest.raises(GrammarError) as caught:
        parse_goal(text)
    assert text[caught.value.position :] == points_at
    assert expected in caught.value.expected


def test_a_refusal_names_what_was_being_read() -> None:
    with pytest.raises(GrammarError, match=r"^quality does not parse: expected a number"):
        parse_goal("p95<", what="quality")


def test_a_level_below_zero_is_refused_at_its_place() -> None:
    with pytest.raises(GrammarError, match="a level above zero") as caught:
        parse_goal("p95<-5ms")
    assert caught.value.position == 4


@given(
    metric=st.from_regex(r"[a-z][a-z0-9_.]{0,8}", fullmatch=True),
    operator=st.sampled_from(["<", "<=", ">", ">=", "="]),
    number=st.decimals(min_value=-1000, max_value=1_000_000, places=3),
    unit=st.sampled_from(["us", "ms", "s", "m", "h", "%", "KiB", "GB", "", "k"]),
    selector=st.dictionaries(
        st.from_regex(r"[a-z]{1,4}", fullmatch=True),
        st.from_regex(r"[A-Za-z0-9/._-]{1,8}", fullmatch=True),
        max_size=3,
    ),
)
def test_a_goal_is_written_as_it_is_read(
    metric: str, operator: str, number: object, unit: str, selector: dict[str, str]
) -> None:
    inner = ",".join(f"{key}={value}" for key, value in selector.items())
    text = f"{metric}{f'{{{inner}}}' if inner else ''}{operator}{number:f}{unit}"
    assume(float(str(number)) >= 0 or unit == "%")  # only changes may be negative
    goal = parse_goal(text)
    again = parse_goal(str(goal))
    assert (again.metric, again.operator, again.value, again.selector) == (
        goal.metric,
        goal.operator,
        goal.value,
        goal.selector,
    )


@pytest.mark.parametrize(
    ("text", "below", "at", "above"),
    [
        ("p95<200ms", True, False, False),
        ("p95<=200ms", True, True, False),
        ("p95>200ms", False, False, True),
        ("p95>=200ms", False, True, True),
        ("p95=200ms", False, True, False),
    ],
)
def test_an_absolute_goal_compares_with_its_bound(
    text: str, below: bool, at: bool, above: bool
) -> None:
    goal = parse_goal(text)
    bound = goal.value.value
    met = [goal.met(value=value) for value in (bound / 2, bound, bound * 2)]
    assert met == [below, at, above]


@pytest.mark.parametrize(
    ("text", "value", "met"),
    [
        ("llm_cost<=-30%", 69.0, True),
        ("llm_cost<=-30%", 71.0, False),
        ("write_time<=+10%", 109.0, True),
        ("write_time<=+10%", 111.0, False),
        ("throughput>=50%", 151.0, True),
    ],
)
def test_a_relative_goal_compares_with_the_baseline(text: str, value: float, met: bool) -> None:
    assert parse_goal(text).met(value=value, baseline=100.0) is met


def test_a_relative_goal_without_a_baseline_is_an_error() -> None:
    with pytest.raises(ValueError, match="there is no baseline"):
        parse_goal("p95<=-30%").met(value=1.0)


def test_only_percentages_are_relative() -> None:
    goals: list[Goal] = [parse_goal("p95<=-30%"), parse_goal("p95<200ms")]
    assert [goal.relative for goal in goals] == [True, False]
    assert goals[0].value.dimension is Dimension.SHARE
