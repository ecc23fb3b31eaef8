"""The answer to "which model?", with the reason."""

from __future__ import annotations

from typing import Protocol

from perfwright.llm.requests import Request


class Choice(str):
    """A model's name, usable as such, with why it was chosen."""

    __slots__ = ("explored", "reason", "ticket", "traffic_class")

    reason: str
    """One sentence for people and traces."""
    explored: bool
    """Chosen to learn, not because it looked best."""
    traffic_class: str
    """What its outcome is recorded under."""
    ticket: int
    """Names the reservation behind it; 0 if there is none."""

    def __new__(
        cls,
        model: str,
        *,
        reason: str = "",
        traffic_class: str = "",
        explored: bool = False,
        ticket: int = 0,
    ) -> Choice:
        """Name a model and say why."""
        choice = super().__new__(cls, model)
        choice.reason, choice.explored = reason, explored
        choice.traffic_class, choice.ticket = traffic_class, ticket
        return choice

    @property
    def model(self) -> str:
        """The name as a plain string."""
        return str(self)


class ModelChooser(Protocol):
    """Chooses a model for each request and learns from what came of it.

    Every choice ends in exactly one call of `learn` or `failed`.
    """

    def choose(self, request: Request) -> Choice:
        """Return the model that is to answer; called on the event loop, so it is quick.

        Raises:
            SpendLimitError: If no budget is left for any model.
        """

    def learn(self, choice: Choice, *, tokens: int, succeeded: bool | None = None) -> None:
        """Take the tokens used, and whether the answer was good; None where nobody judged it."""

    def failed(self, choice: Choice, error: BaseException | None = None) -> None:
        """Take that no answer came; if the provider is why, the model rests for a while."""
