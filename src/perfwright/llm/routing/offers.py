"""The models that may be chosen, and what is believed of them at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from perfwright.core import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model that may be chosen."""

    model: str
    usd_per_1k: float
    """Of tokens, prompt and answer alike."""
    ability: float
    """Complexity, 0 to 1, up to which it is trusted before anything was recorded."""

    def usd(self, tokens: int) -> float:
        """Return what so many tokens cost."""
        return self.usd_per_1k * tokens / 1000.0


def offers_from(costs: Mapping[str, float], abilities: Mapping[str, float]) -> tuple[Offer, ...]:
    """Check and sort by price, the abler one first among equals.

    Args:
        costs: USD per 1,000 tokens, by model.
        abilities: By model; those left out are spaced evenly by price, the dearest up to 1.

    Raises:
        ConfigError: Naming the model and the value.
    """
    if not costs:
        raise ConfigError(field="model_costs", value={}, problem="name at least one model")
    for model, usd in costs.items():
        check_between(f"model_costs[{model!r}]", usd)
    for model, ability in abilities.items():
        if model not in costs:
            raise ConfigError(field="abilities", value=model, problem="is not in model_costs")
        check_between(f"abilities[{model!r}]", ability, most=1.0)
    prices = sorted(set(costs.values()))
    offers = (
        Offer(
            model=model,
            usd_per_1k=usd,
            ability=abilities.get(model, (prices.index(usd) + 1) / len(prices)),
        )
        for model, usd in costs.items()
    )
    return tuple(sorted(offers, key=lambda offer: (offer.usd_per_1k, -offer.ability)))


def check_between(field: str, value: float, *, most: float = inf) -> None:
    """Refuse what is below 0, above `most`, or no finite number.

    Raises:
        ConfigError: Naming field and value.
    """
    if not 0.0 <= value <= most or value == inf:
        bound = "" if most == inf else f" and at most {most:g}"
        raise ConfigError(
            field=field, value=value, problem=f"must be a number of at least 0{bound}"
        )


def check_budget(field: str, value: float | None) -> None:
    """Refuse a budget of nothing, or that is no finite number.

    Raises:
        ConfigError: Naming field and value.
    """
    if value is not None and not 0.0 < value < inf:
        raise ConfigError(field=field, value=value, problem="must be above 0, or None for no bound")
