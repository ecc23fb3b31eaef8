"""What calls cost in tokens, learned while those wait that were estimated before."""

from __future__ import annotations

Size = tuple[float, ...]
"""Tokens as estimated before the call: of its prompt, and of its answer."""

_MOST = 1_024
_WEIGHT = 0.1
"""Of the latest answer; the first ones count as a plain mean."""


class Sizes:
    """Replaces the estimate of an answer by what answers with the very same estimate took.

    Calls that are all made at once are all estimated before the first answer has come. Most of
    them then wait with the same guess for the answer, which is wrong for all of them alike.
    """

    def __init__(self) -> None:
        self._known: dict[float, tuple[int, float]] = {}

    def tokens(self, size: Size) -> float:
        """Return what to set aside: what such calls took in the mean; at first, the estimate."""
        prompt, answer = size
        known = self._known.get(answer)
        return prompt + answer if known is None else max(1.0, prompt + known[1])

    def note(self, size: Size, *, actual: float) -> None:
        """A call of this size has taken so many tokens in all."""
        prompt, answer = size
        answers, mean = self._known.get(answer, (0, 0.0))
        if not answer or (not answers and len(self._known) >= _MOST):
            return
        weight = max(_WEIGHT, 1.0 / (answers + 1))
        self._known[answer] = answers + 1, mean + weight * (actual - prompt - mean)
