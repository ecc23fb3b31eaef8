"""The price of a model: the user's, else that of genai-prices, else one of our own table."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from perfwright.core import Clock, ConfigError, SystemClock
from perfwright.llm.cost.catalogue import Catalogue
from perfwright.llm.cost.names import forms
from perfwright.llm.cost.price import Price

Written = Price | Mapping[str, Any] | str
"""A price, a table with its fields, or the name of another model that costs the same."""

_REREAD_S = 900.0  # prices change at a date, a few by the hour of the day
_MAX_MODELS = 4_096


class Prices:
    """Finds the price of a model, and remembers it.

    Args:
        overrides: By model, as it is called in requests or as it answers: what you pay, in USD
            per 1 million tokens. They go before every other source.
        catalogue: False leaves out genai-prices, also where it is installed.
        clock: Says which prices are in force.

    Raises:
        ConfigError: If an override is no price.
    """

    def __init__(
        self,
        overrides: Mapping[str, Written] | None = None,
        *,
        catalogue: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock if clock is not None else SystemClock()
        self._overrides: dict[str, Price | str] = {}
        for name, written in (overrides or {}).items():
            self._overrides[name.strip().lower()] = (
                written if isinstance(written, Price | str) else Price.parse(written, name=name)
            )
        self._catalogue = Catalogue() if catalogue else None
        self._listed = listed_prices()
        self._known: dict[tuple[str, str, str | None], Price | None] = {}
        self._until_s = float("-inf")

    @classmethod
    def from_toml(cls, path: Path | str, *, clock: Clock | None = None) -> Prices:
        """Read overrides from a file with one table for each model.

        Raises:
            ConfigError: If it cannot be read, or holds what is no price.
        """
        try:
            written = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(field="prices", value=str(path), problem=str(error)) from error
        return cls(written, clock=clock)

    def of(self, model: str, *, asked: str = "", base_url: str | None = None) -> Price | None:
        """Return the price in force now, None if no source knows the model.

        Args:
            model: As in a request or an answer: `gpt-4o-mini-2024-07-18`, `openai/gpt-4o`.
            asked: What the request called it, where `model` is from the answer: a deployment has
                a name, and a price, of its own.
            base_url: Of the endpoint, where several providers sell one model.
        """
        if self._clock.now() >= self._until_s:
            self._known.clear()
            self._until_s = self._clock.now() + _REREAD_S
        try:
            return self._known[model, asked, base_url]
        except KeyError:
            if len(self._known) >= _MAX_MODELS:
                self._known.clear()
            price = self._known[model, asked, base_url] = self._look_up(
                model, asked=asked, base_url=base_url
            )
            return price

    def _look_up(self, model: str, *, asked: str, base_url: str | None) -> Price | None:
        chosen = self._overridden(model)
        if chosen is None and asked:
            chosen = self._overridden(asked)
            if chosen is not None and self._public(asked, base_url) is not None:
                chosen = None  # another model has answered, at its own price
        if isinstance(chosen, Price):
            return chosen
        if chosen is not None:
            return self._public(chosen, base_url)
        found = self._public(model, base_url)
        return self.of(asked, base_url=base_url) if found is None and asked else found

    def _public(self, model: str, base_url: str | None) -> Price | None:
        listed, catalogue = self._listed, self._catalogue
        if catalogue is not None and not catalogue.agrees_with(listed.get(model), base_url):
            found = catalogue.find(model, base_url=base_url, at=self._clock.today())
            if found is not None:
                return found
        return next((listed[form] for form in forms(model) if form in listed), None)

    def _overridden(self, model: str) -> Price | str | None:
        """Follow an alias once: what it names may be an override itself."""
        override = self._override(model)
        return (self._override(override) or override) if isinstance(override, str) else override

    def _override(self, model: str) -> Price | str | None:
        known = self._overrides
        return (
            next((known[form] for form in forms(model) if form in known), None) if known else None
        )


@cache
def listed_prices() -> dict[str, Price]:
    """Read our own table: each model under all of its names."""
    text = files("perfwright.llm.cost").joinpath("prices.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    source = table.pop("source")
    listed: dict[str, Price] = {}
    for name, written in table.items():
        names = written.pop("names", [])
        price = Price.parse(written | {"source": source}, name=name)
        listed.update(dict.fromkeys([name, *names], price))
    return listed
