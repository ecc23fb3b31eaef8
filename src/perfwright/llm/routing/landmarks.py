"""Gain of a prompt from how it looks: kernel ridge regression on a few landmarks."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from operator import mul
from statistics import fmean, pstdev

LANDMARKS = 150
"""Prompts that others are compared with, at most a quarter of all; 100 and 250 did as well."""

_WIDTH = 1.5
_RIDGE = 3.0
_FARTHEST = 4.0
"""Standard deviations after which a trait counts as extreme, not as more extreme."""

_JITTER = 1e-6

Vector = list[float]


class Landmarks:
    """A smooth function of traits: a weighted sum of Gaussian bumps around known prompts.

    Source: subset of regressors, A. J. Smola, B. Schoelkopf, Sparse greedy matrix approximation
        for machine learning, ICML 2000.
    """

    def __init__(
        self,
        *,
        means: Vector,
        spreads: Vector,
        landmarks: list[Vector],
        weights: Vector,
    ) -> None:
        self.means, self.spreads = means, spreads
        self.landmarks = landmarks
        """Scaled traits of the known prompts."""
        self.weights = weights
        self._halves = [0.5 * sum(map(mul, mark, mark)) for mark in landmarks]

    @classmethod
    def train(
        cls, traits: Sequence[Vector], values: Sequence[float], *, rng: random.Random
    ) -> Landmarks:
        """Fit by least squares with a penalty; cubic in landmarks, linear in prompts.

        Args:
            traits: Of each prompt, equally many.
            values: What is to be predicted, of each prompt, less the mean.
            rng: Draws the landmarks.
        """
        columns = list(zip(*traits, strict=True))
        model = cls(
            means=[fmean(column) for column in columns],
            spreads=[pstdev(column) or 1.0 for column in columns],
            landmarks=[],
            weights=[],
        )
        scaled = [model._scaled(row) for row in traits]
        marks = rng.sample(scaled, min(LANDMARKS, max(1, len(scaled) // 4)))
        model = cls(means=model.means, spreads=model.spreads, landmarks=marks, weights=[])
        bumps = list(zip(*map(model._bumps, scaled), strict=True))
        between = list(map(model._bumps, marks))
        square = [
            [
                sum(map(mul, bumps[row], bumps[column])) + _RIDGE * between[row][column]
                for column in range(row + 1)
            ]
            for row in range(len(marks))
        ]
        for row in range(len(marks)):
            square[row][row] += _JITTER
        model.weights = solve(square, [sum(map(mul, bump, values)) for bump in bumps])
        return model

    def predict(self, traits: Vector) -> float:
        """Return the expected difference from the mean."""
        return math.fsum(map(mul, self._bumps(self._scaled(traits)), self.weights))

    def _scaled(self, traits: Vector) -> Vector:
        return [
            max(-_FARTHEST, min(_FARTHEST, (trait - mean) / spread))
            for trait, mean, spread in zip(traits, self.means, self.spreads, strict=True)
        ]

    def _bumps(self, scaled: Vector) -> Vector:
        """Return exp(-width * distance² / (2 * traits)) to each landmark."""
        sharpness = _WIDTH / len(scaled)
        half = 0.5 * sum(map(mul, scaled, scaled))
        return [
            math.exp(sharpness * (sum(map(mul, scaled, mark)) - half - other))
            for mark, other in zip(self.landmarks, self._halves, strict=True)
        ]


def solve(square: Sequence[Vector], right: Sequence[float]) -> Vector:
    """Solve a positive definite system by Cholesky's factors.

    Args:
        square: Lower triangle, row by row: row `i` has `i + 1` values.
        right: One value per row.
    """
    factor: list[Vector] = []
    for row, values in enumerate(square):
        line: Vector = []
        for column in range(row):
            rest = values[column] - sum(map(mul, line, factor[column]))
            line.append(rest / factor[column][column])
        line.append(math.sqrt(values[row] - sum(map(mul, line, line))))
        factor.append(line)
    forward: Vector = []
    for line, value in zip(factor, right, strict=True):
        forward.append((value - sum(map(mul, line, forward))) / line[-1])
    return _back(factor, forward)


def _back(factor: Sequence[Vector], forward: Vector) -> Vector:
    """Solve with the transposed factor, last unknown first."""
    found = list(forward)
    for row in reversed(range(len(factor))):
        found[row] /= factor[row][row]
        for column in range(row):
            found[column] -= factor[row][column] * found[row]
    return found
