"""Searches a space of settings: Optuna suggests, the caller measures, and ablation trims. Pure."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from perfwright.agents.database.postgresql.spaces import Config, Space, moved
from perfwright.core import MissingExtraError, Risk

MAX_SUGGESTIONS = 40
STARTUP = 8  # suggestions at random, before the sampler has seen enough to learn
PATIENCE = 10  # suggestions in a row that bring nothing
BETTER = 0.005  # of the reads' time, for a suggestion to bring something
CARRIED = 0.01  # of the time, that a knob must carry to stay

Score = Callable[[Config], float]
"""Time of the reads under a configuration over that under the present one; lower is better."""
Ratio = Callable[[Config, Config], float]
"""Time under the first configuration over time under the second."""
TimeIsUp = Callable[[], bool]


def is_installed() -> bool:
    """Whether the extra `tuning` is there."""
    return importlib.util.find_spec("optuna") is not None


@dataclass(slots=True)
class _Seen:
    """Scores so far: what was measured once is not measured again."""

    space: Space
    score: Score
    scores: dict[Config, float] = field(default_factory=dict)

    def take(self, config: Config) -> float:
        fitting = self.space.fit(config)
        if fitting not in self.scores:
            self.scores[fitting] = self.score(fitting) + self.space.price(fitting)
        return self.scores[fitting]

    @property
    def best(self) -> Config:
        """The best one; the nearer one to the present values of two that are equal."""
        return min(self.scores, key=lambda config: (self.scores[config], sum(config), config))


def search(space: Space, score: Score, *, seed: int, time_is_up: TimeIsUp) -> tuple[Config, int]:
    """Look for the best configuration; the present one is known to score 1.

    Args:
        space: What there is.
        score: Measures a configuration.
        seed: The same answers to the same suggestions lead the same way.
        time_is_up: Asked before each suggestion.

    Returns:
        The best configuration, and how many were measured.

    Raises:
        MissingExtraError: If Optuna is not installed.
    """
    if not is_installed():
        raise MissingExtraError(feature="searching settings", extra="tuning")
    import optuna

    seen = _Seen(space, score)
    seen.scores[space.start] = 1.0
    with _quiet():
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
        study = optuna.create_study(sampler=sampler)
        for config in _first(space):
            study.enqueue_trial(_named(space, config))
        idle = 0
        for _ in range(MAX_SUGGESTIONS):
            if time_is_up() or idle >= PATIENCE or len(seen.scores) >= space.size:
                break
            trial = study.ask()
            config = tuple(
                trial.suggest_int(ladder.knob.name, 0, len(ladder.values) - 1)
                for ladder in space.ladders
            )
            before = seen.scores[seen.best]
            study.tell(trial, seen.take(config))
            idle = 0 if seen.scores[seen.best] < before - BETTER else idle + 1
    return seen.best, len(seen.scores) - 1


def trimmed(space: Space, best: Config, *, ratio: Ratio, time_is_up: TimeIsUp) -> Config:
    """Take each knob back towards its present value, as far as that costs less than `CARRIED`.

    The risky ones first, so that of two that do the same the harmless one stays.

    Args:
        space: What was searched.
        best: What was found.
        ratio: Measures one configuration against another.
        time_is_up: What cannot be measured any more goes back all the way: it was not shown to
            carry anything.
    """
    order = sorted(
        (p for p in range(len(best)) if best[p]),
        key=lambda p: (space.ladders[p].knob.risk is not Risk.MEDIUM, p),
    )
    for place in order:
        whole = best
        if time_is_up() or ratio(moved(whole, place, to=0), whole) < 1.0 + CARRIED:
            best = moved(whole, place, to=0)
            continue
        for lower in range(whole[place] - 1, 0, -1):
            tried = moved(whole, place, to=lower)
            if time_is_up() or ratio(tried, whole) >= 1.0 + CARRIED:
                break
            best = tried
    return best


def _first(space: Space) -> Iterator[Config]:
    """Yield what is tried first: what experience says, all bounds, and each knob alone."""
    guess = space.first_guess()
    yield guess
    yield space.fit(tuple(len(ladder.values) - 1 for ladder in space.ladders))
    if len(space.ladders) > 1:
        for place in range(len(space.ladders)):
            yield moved(space.start, place, to=max(1, guess[place]))


def _named(space: Space, config: Config) -> dict[str, int]:
    pairs = zip(space.ladders, config, strict=True)
    return {ladder.knob.name: rung for ladder, rung in pairs}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from writing to the terminal, and leave it as it was."""
    from optuna import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(before)
