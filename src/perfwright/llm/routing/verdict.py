"""Whether to route at all, and from which predicted gain on the strong model is asked.

The gain of every prompt was predicted by a model that had not seen it, and the threshold that is
applied to it comes from the other prompts. So nothing here is judged by what it was fitted to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from statistics import fmean

from perfwright.core import ConfigError
from perfwright.llm.routing.intervals import (
    LEVEL,
    Interval,
    mean_interval,
    reach,
    standard_error,
)
from perfwright.stats import upper_tail

_CAUTION = 1.5
"""The threshold aims below the allowed loss by so many reaches of its interval.

Aiming at the bound itself, half of all sound routers would fail the proof that follows.
"""


class Decision(StrEnum):
    """What is done with a stream of requests."""

    ROUTE = "route"
    ALWAYS_WEAK = "always weak"
    ALWAYS_STRONG = "always strong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a router is to reach: a quality, or a spend.

    Raises:
        ConfigError: Unless exactly one of them is given, from 0 to 1.
    """

    max_loss: float | None = None
    """Success (0 to 1) that may be lost against asking the strong model always."""
    strong_share: float | None = None
    """Share of the calls (0 to 1) that may go to the strong model."""

    def __post_init__(self) -> None:
        """Check both."""
        given = [bound for bound in (self.max_loss, self.strong_share) if bound is not None]
        if len(given) != 1 or not 0.0 <= given[0] <= 1.0:
            raise ConfigError(
                field="goal",
                value=(self.max_loss, self.strong_share),
                problem="give max_loss or strong_share, one of them, from 0 to 1",
            )


@dataclass(frozen=True, slots=True)
class Scored:
    """A prompt's gain as predicted without it, and its gain as it was."""

    predicted: float
    gain: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What routing gave on prompts whose outcome with both models is known."""

    outcomes: int
    strong_share: float
    """Of the calls, 0 to 1."""
    loss: Interval
    """Success lost against asking the strong model always."""
    advantage: Interval
    """Success won over drawing lots for the same share of strong calls."""
    p_value: float
    """Chance of such an advantage if prompts told nothing."""

    @classmethod
    def of(
        cls, goes_weak: Sequence[bool], *, gains: Sequence[float], level: float = LEVEL
    ) -> Evidence:
        """Compare decisions with outcomes, in equal order, at least one."""
        share, mean = fmean(goes_weak), fmean(gains)
        pairs = list(zip(goes_weak, gains, strict=True))
        edges = [(weak - share) * (mean - gain) for weak, gain in pairs]
        return cls(
            outcomes=len(gains),
            strong_share=1.0 - share,
            loss=mean_interval([gain if weak else 0.0 for weak, gain in pairs], level=level),
            advantage=mean_interval(edges, level=level),
            p_value=upper_tail(edges),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was decided, and why."""

    decision: Decision
    reason: str
    threshold: float
    """Predicted gain from which on the strong model is asked."""
    evidence: Evidence
    """Measured on prompts that nothing was fitted to."""

    @property
    def routes(self) -> bool:
        """Whether prompts are told apart."""
        return self.decision is Decision.ROUTE


def judge(folds: Sequence[Sequence[Scored]], *, goal: Goal, level: float = LEVEL) -> Verdict:
    """Decide from predictions on held-out prompts.

    Args:
        folds: Two or more; the threshold used on each comes from the others.
        goal: What is wanted.
        level: Chance to route although prompts tell nothing, or to miss the goal's quality.
    """
    everything = [scored for fold in folds for scored in fold]
    gains = [scored.gain for scored in everything]
    weak = _who_goes_weak(folds, goal, level=level)
    evidence = Evidence.of(weak, gains=gains, level=level)
    always_weak = mean_interval(gains, level=level)
    decision, reason = _decide(evidence, goal=goal, always_weak=always_weak, level=level)
    threshold = {
        Decision.ROUTE: threshold_for(everything, goal=goal, level=level),
        Decision.ALWAYS_WEAK: inf,
        Decision.ALWAYS_STRONG: -inf,
    }
    return Verdict(
        decision=decision, reason=reason, threshold=threshold[decision], evidence=evidence
    )


def threshold_for(scored: Sequence[Scored], *, goal: Goal, level: float = LEVEL) -> float:
    """Return the predicted gain from which on the strong model is to be asked."""
    order = sorted(scored, key=lambda one: one.predicted)
    if goal.strong_share is not None:
        place = round((1.0 - goal.strong_share) * len(order))
        return order[place].predicted if place < len(order) else inf
    caution = _CAUTION * reach(level)
    return _threshold_for_loss(order, max_loss=goal.max_loss or 0.0, caution=caution)


def _threshold_for_loss(order: Sequence[Scored], *, max_loss: float, caution: float) -> float:
    """Return the highest threshold below which the loss stays within bounds.

    Args:
        order: By rising prediction.
        max_loss: Success that may be lost, over all prompts.
        caution: Standard errors to stay below it.
    """
    lost = squares = 0.0
    threshold = order[0].predicted
    above = [*(one.predicted for one in order[1:]), inf]
    for one, following in zip(order, above, strict=True):
        lost += one.gain
        squares += one.gain * one.gain
        error = standard_error(total=lost, squares=squares, count=len(order))
        # Equal predictions lie on one side of any threshold.
        if following > one.predicted and lost / len(order) + caution * error <= max_loss:
            threshold = following
    return threshold


def _who_goes_weak(folds: Sequence[Sequence[Scored]], goal: Goal, *, level: float) -> list[bool]:
    """Decide for every prompt, each fold by the threshold of the others."""
    answers = []
    for place, fold in enumerate(folds):
        rest = [one for other, part in enumerate(folds) if other != place for one in part]
        threshold = threshold_for(rest, goal=goal, level=level)
        answers += [one.predicted < threshold for one in fold]
    return answers


def _decide(
    found: Evidence, *, goal: Goal, always_weak: Interval, level: float
) -> tuple[Decision, str]:
    if always_weak.high <= (goal.max_loss or 0.0):
        return Decision.ALWAYS_WEAK, f"the weak model alone loses {always_weak}: within the goal"
    proven = found.p_value <= level / 2.0 and found.strong_share < 1.0
    if goal.max_loss is None:
        if goal.strong_share == 1.0:
            return Decision.ALWAYS_STRONG, "the spend allows the strong model always"
        if proven:
            return Decision.ROUTE, f"{found.advantage} better than drawing lots at this spend"
        return Decision.ALWAYS_WEAK, (
            f"do not route: prompts do not tell who gains (p = {found.p_value:.2g}), "
            "and the weak model alone keeps the spend"
        )
    if not proven:
        return Decision.ALWAYS_STRONG, (
            f"do not route: no saving proven, prompts do not tell who gains (p = "
            f"{found.p_value:.2g})"
        )
    if found.loss.high > goal.max_loss:
        return Decision.ALWAYS_STRONG, (
            f"do not route: the loss of {found.loss} may exceed {100 * goal.max_loss:g} %"
        )
    return Decision.ROUTE, (
        f"{100 * (1.0 - found.strong_share):.0f} % of the strong calls saved for a loss of "
        f"{found.loss}"
    )
