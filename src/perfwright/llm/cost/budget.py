"""What may be spent, by whom, in which time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from perfwright.core import ConfigError
from perfwright.llm.cost.price import PICO

UNLIMITED = 1 << 60
"""More than any budget: of pico-dollars, a million dollars."""


class Amounts(NamedTuple):
    """What a call takes, or a budget has."""

    pico: int
    """Pico-dollars."""
    tokens: int
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A hard limit: a call that does not fit into what is left is not made.

    Raises:
        ConfigError: If it limits nothing, or a number is out of its range.
    """

    name: str
    usd: float | None = None
    tokens: int | None = None
    """Of prompts and answers together."""
    calls: int | None = None
    period_s: float | None = None
    """It is filled again after so many seconds, counted in UTC: 86,400 begins at midnight.
    None: never, or by `monthly`."""
    monthly: bool = False
    """It is filled again with each calendar month in UTC."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """It is for calls with these labels; empty: for all calls."""
    per: str | None = None
    """Each value of this label has the whole budget for itself, such as each `user`."""
    strict: bool = False
    """Calls get a bound on their answer if they have none, and it is set aside in full, with the
    longest prompt that the text can be: it cannot be overspent, and is not spent to the end."""

    def __post_init__(self) -> None:
        limits = {"usd": self.usd, "tokens": self.tokens, "calls": self.calls}
        if all(limit is None for limit in limits.values()):
            self._refuse("usd", None, problem="limit at least one of usd, tokens and calls")
        for name, limit in limits.items():
            if limit is not None and not 0 <= limit < float("inf"):
                self._refuse(name, limit, problem="must be a number of at least 0")
        if self.usd is not None and self.usd * PICO >= UNLIMITED:
            self._refuse("usd", self.usd, problem="must be below 1,000,000")
        if self.period_s is not None and (not self.period_s > 0 or self.monthly):
            self._refuse("period_s", self.period_s, problem="must be above 0, and without monthly")

    @property
    def limits(self) -> Amounts:
        """The same in whole units."""
        return Amounts(
            UNLIMITED if self.usd is None else round(self.usd * PICO),
            UNLIMITED if self.tokens is None else self.tokens,
            UNLIMITED if self.calls is None else self.calls,
        )

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Tell whether calls with these labels are paid from it."""
        if self.per is not None and self.per not in labels:
            return False
        return not self.labels or self.labels.items() <= labels.items()

    def _refuse(self, name: str, value: object, *, problem: str) -> None:
        raise ConfigError(field=f"budget {self.name!r}: {name}", value=value, problem=problem)


def shown(amounts: Amounts, *, of: int) -> str:
    """Write one of the amounts for people."""
    if of == 0:
        return f"${max(0, amounts.pico) / PICO:.6g}"
    return f"{max(0, amounts[of])} {('', 'tokens', 'calls')[of]}"
