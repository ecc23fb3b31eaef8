"""A limit that nobody declared shows in what was let in and what was refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.limits import Rate
from perfwright.llm.endpoints.learning import RateLearner, backlogs, fitted


def accepted_of(rate: Rate, attempts_s: list[float]) -> tuple[list[float], list[float]]:
    """Split attempts into those that a bucket lets in and those that it refuses."""
    level, at_s = rate.burst, attempts_s[0]
    let_in, refused = [], []
    for now_s in attempts_s:
        level = min(rate.burst, level + (now_s - at_s) * rate.per_s)
        at_s = now_s
        if level >= 1.0:
            level -= 1.0
            let_in.append(now_s)
        else:
            refused.append(now_s)
    return let_in, refused


def ramps(*starts_s: float, per_s: float, seconds: float) -> list[float]:
    """Attempts at an even rate for some seconds from each start."""
    count = int(per_s * seconds)
    return [start_s + place / per_s for start_s in starts_s for place in range(count)]


def first_of_each(refused_s: list[float], starts_s: tuple[float, ...]) -> list[float]:
    return [next(at_s for at_s in refused_s if at_s >= start_s) for start_s in starts_s]


@given(
    per_s=st.floats(20.0, 500.0),
    burst_s=st.floats(0.05, 0.5),
    faster=st.floats(1.3, 3.0),
    rest_s=st.floats(0.0, 2.0),
)
def test_two_refusals_tell_rate_and_size_of_a_bucket(
    per_s: float, burst_s: float, faster: float, rest_s: float
) -> None:
    rate = Rate(per_s, max(5.0, per_s * burst_s))
    length_s = 2.0 * rate.burst / (per_s * (faster - 1.0)) + 5.0 / per_s
    first = ramps(0.0, per_s=per_s * faster, seconds=length_s)
    let_in, refused = accepted_of(rate, first)
    cut = [at_s for at_s in let_in if at_s < refused[0]]
    later = 1.5 * length_s + rest_s
    slower = ramps(later, per_s=per_s * (1.0 + 0.3 * (faster - 1.0)), seconds=8.0 * length_s)
    let_in, again = accepted_of(rate, [*cut, refused[0], *slower])
    episodes = first_of_each(again, (0.0, later))

    fit = fitted(let_in, episodes, near_per_s=per_s)

    assert fit is not None
    # Counts are whole: what one request more or less means is the most that can be asked for.
    assert fit.per_s == pytest.approx(per_s, rel=0.02 + 3.0 * fit.error_ratio)


def test_a_known_size_makes_one_refusal_enough() -> None:
    let_in, refused = accepted_of(Rate(50.0, 20.0), ramps(0.0, per_s=60.0, seconds=10.0))
    kept = [at_s for at_s in let_in if at_s < refused[0]]
    fit = fitted(kept, refused[:1], size=20.0)
    assert fit is not None
    assert fit.per_s == pytest.approx(50.0, rel=0.05)


def test_one_refusal_alone_tells_nothing() -> None:
    assert fitted([0.0, 0.1, 0.2], [0.25]) is None


def test_a_backlog_grows_by_requests_only() -> None:
    assert backlogs([0.0, 0.0, 0.0, 1.0], [0.5, 2.0], per_s=1.0) == [2.5, 2.0]


def test_a_rate_that_nothing_speaks_against_doubles_in_a_seventh_of_a_second() -> None:
    learner = RateLearner(None)
    start = learner.rate()
    now_s = 0.0
    while now_s < 0.15:
        rate = learner.rate()
        assert rate is not None
        now_s += 1.0 / rate.per_s
        learner.sent(now_s)
    end = learner.rate()
    assert start is not None
    assert end is not None
    assert 1.8 < end.per_s / start.per_s < 2.2


def test_a_declared_limit_is_not_ventured_beyond() -> None:
    learner = RateLearner(Rate(10.0, 5.0))
    for place in range(1_000):
        learner.sent(place * 0.1)
    assert learner.rate() is None


def test_refusals_of_one_moment_count_once() -> None:
    learner = RateLearner(None)
    for place in range(10):
        learner.sent(place * 0.01)
    for place in range(5, 10):
        learner.refused(place * 0.01, now_s=0.1, pause_s=1.0)
    assert learner.episodes == 1


def test_less_is_spent_after_a_refusal() -> None:
    learner = RateLearner(Rate(100.0, 10.0))
    learner.sent(0.0)
    learner.refused(0.0, now_s=0.0, pause_s=1.0)
    rate = learner.rate()
    assert rate is not None
    assert rate.per_s < 100.0


def test_what_the_endpoint_tells_replaces_a_guess() -> None:
    learner = RateLearner(None)
    learner.sent(0.0)
    learner.refused(0.0, now_s=0.0, pause_s=1.0)
    assert learner.is_limited
    learner.told(Rate(100.0, 10.0))
    assert not learner.is_limited


def test_the_memory_does_not_grow_without_end() -> None:
    learner = RateLearner(None)
    for place in range(20_000):
        learner.sent(place * 0.001)
    assert len(learner._sent_s) <= 2_048
