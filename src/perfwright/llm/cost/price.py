"""What a model's tokens cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from perfwright.core import ConfigError
from perfwright.llm.replies import Usage

PICO = 10**12
"""Money is counted in whole pico-dollars: a sum of millions of calls is exact."""
_PICO_PER_TOKEN = 10**6  # 1 USD for 1 million tokens
_OTHER_NAMES = {"input": "prompt", "output": "completion"}


class Rates(NamedTuple):
    """Pico-dollars for one token of each kind."""

    prompt: int
    cached: int
    cache_write: int
    completion: int
    reasoning: int

    def most(self) -> tuple[int, int]:
        """Return the most that a token of the prompt, and one of the answer, can cost."""
        prompt = max(self.prompt, self.cached, self.cache_write)
        return prompt, max(self.completion, self.reasoning)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTier:
    """Rates for all tokens of a call with a long prompt; USD per 1 million tokens."""

    above: int
    """For prompts of more than so many tokens."""
    prompt: float
    completion: float = 0.0
    cached: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A model's price as providers write it: USD per 1 million tokens.

    Raises:
        ConfigError: If a number is negative or no number.
    """

    prompt: float
    completion: float = 0.0
    cached: float | None = None
    """Prompt tokens that the provider had in its cache; None: they cost as the others."""
    cache_write: float | None = None
    """Prompt tokens that it put there; None: they cost as the others."""
    reasoning: float | None = None
    """Answer tokens that are not shown; None: they cost as the others."""
    request: float = 0.0
    """USD for each call, whatever its length."""
    batch_factor: float = 0.5
    """What the provider's batch interface takes, as a part of the price."""
    tiers: tuple[PriceTier, ...] = ()
    source: str = ""
    """Where the price is from, and of when."""
    _base: Rates = field(init=False, repr=False, compare=False)
    _tiered: tuple[tuple[int, Rates], ...] = field(init=False, repr=False, compare=False)
    _request: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check(self)
        longest_first = sorted(self.tiers, key=lambda tier: -tier.above)
        object.__setattr__(self, "_base", _rates(self))
        object.__setattr__(self, "_tiered", tuple((t.above, _rates(t)) for t in longest_first))
        object.__setattr__(self, "_request", round(self.request * PICO))

    @classmethod
    def parse(cls, written: Mapping[str, Any], *, name: str) -> Price:
        """Build one from a table of TOML or JSON; `input` and `output` are taken as well.

        Raises:
            ConfigError: If it has other fields, or lacks the prompt's price.
        """
        values = {_OTHER_NAMES.get(key, key): value for key, value in written.items()}
        tiers = values.get("tiers", ())
        try:
            values["tiers"] = tuple(
                PriceTier(**{_OTHER_NAMES.get(k, k): v for k, v in tier.items()}) for tier in tiers
            )
            return cls(**values)
        except (TypeError, AttributeError) as error:
            known = ", ".join(f.name for f in fields(cls) if f.init)
            problem = f"not a price ({error}); give prompt and completion in USD per 1 million "
            problem += f"tokens. Fields: {known}"
            raise ConfigError(field=f"prices[{name!r}]", value=written, problem=problem) from error

    def rates(self, prompt_tokens: int) -> Rates:
        """Return the rates of a call with so long a prompt."""
        for above, rates in self._tiered:
            if prompt_tokens > above:
                return rates
        return self._base

    def pico(self, usage: Usage, *, batch: bool = False) -> int:
        """Return what a call costs, in pico-dollars."""
        prompt, cached = usage.prompt_tokens, usage.cached_tokens
        written, reasoning = usage.cache_write_tokens, usage.reasoning_tokens
        rates = self.rates(prompt) if self._tiered else self._base
        fresh = max(0, prompt - cached - written)
        shown = max(0, usage.completion_tokens - reasoning)
        cost = (
            fresh * rates.prompt
            + cached * rates.cached
            + written * rates.cache_write
            + shown * rates.completion
            + reasoning * rates.reasoning
            + self._request
        )
        return round(cost * self.batch_factor) if batch else cost

    def usual_pico(self, prompt_tokens: int, *, completion_tokens: int) -> int:
        """Return what a call of this size costs without any cache, in pico-dollars."""
        rates = self.rates(prompt_tokens)
        return prompt_tokens * rates.prompt + completion_tokens * rates.completion + self._request

    def most_pico(self, prompt_tokens: int, *, completion_tokens: int) -> int:
        """Return the most that a call of this size can cost, in pico-dollars."""
        prompt, completion = self.rates(prompt_tokens).most()
        return prompt_tokens * prompt + completion_tokens * completion + self._request


def _rates(price: Price | PriceTier) -> Rates:
    usual = price.prompt, price.prompt, price.prompt, price.completion, price.completion
    given = price.prompt, price.cached, price.cache_write, price.completion, price.reasoning
    chosen = (u if g is None else g for u, g in zip(usual, given, strict=True))
    return Rates(*(round(usd * _PICO_PER_TOKEN) for usd in chosen))


def _check(price: Price | PriceTier) -> None:
    for part in fields(price):
        if not part.init or part.name in ("tiers", "source"):
            continue
        value = getattr(price, part.name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (is_number and 0 <= value < float("inf")):
            problem = "must be a number of at least 0, in USD per 1 million tokens"
            raise ConfigError(field=f"price.{part.name}", value=value, problem=problem)
