"""genai-prices, read once for each model: 2,000 models, but 0.15 s and 17 MB to load."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from perfwright.llm.cost.names import forms, owner
from perfwright.llm.cost.price import Price, PriceTier

_FIELDS = {
    "prompt": "input_mtok",
    "completion": "output_mtok",
    "cached": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "reasoning": "output_reasoning_mtok",
}
_OWN_HOSTS = (".openai.com", ".anthropic.com", ".googleapis.com", ".mistral.ai", ".deepseek.com")


class Catalogue:
    """Prices by model, and by the provider that an endpoint's address belongs to."""

    def __init__(self) -> None:
        self.version = _installed()

    def agrees_with(self, listed: Price | None, base_url: str | None) -> bool:
        """Tell whether loading it would only confirm our own table, which was made from it."""
        if self.version is None:
            return True
        if listed is None or not listed.source.startswith(f"genai-prices {self.version},"):
            return False
        return base_url is None or _names_no_reseller(base_url)

    def find(self, model: str, *, base_url: str | None, at: datetime) -> Price | None:
        """Return the price at a time, None if the model is not listed."""
        if self.version is None:
            return None
        from genai_prices.data_snapshot import get_snapshot

        snapshot = get_snapshot()
        provider, name = owner(model)
        tries: list[tuple[str, str | None, str | None]] = [
            *([(model, None, base_url)] if base_url else []),
            *([(name, provider, None)] if provider else []),
            # It knows a provider by its chat models alone, so embeddings need theirs named.
            *(
                (form, "openai" if "text-embedding-" in form else None, None)
                for form in forms(model)
            ),
        ]
        for reference, provider_id, url in tries:
            try:
                _, found = snapshot.find_provider_model(reference, None, provider_id, url)
            except LookupError:
                continue
            batch = found.get_prices(at, {"processing": "batch"})
            return self._price(found.get_prices(at), batch=batch)
        return None

    def _price(self, listed: Any, *, batch: Any) -> Price | None:
        """Shorten an entry to what a call of text needs; the rest of it is about other things."""
        values = {ours: getattr(listed, theirs, None) for ours, theirs in _FIELDS.items()}
        if values["prompt"] is None and values["completion"] is None:
            return None
        starts = {tier.start for value in values.values() for tier in getattr(value, "tiers", ())}
        base = {ours: _usd(value, 0) for ours, value in values.items()}
        tiers = []
        for start in sorted(starts):
            at_tier = {ours: _usd(value, start + 1) for ours, value in values.items()}
            tiers.append(PriceTier(above=start, **_with_zeros(at_tier)))
        requests = getattr(listed, "requests_kcount", None)
        return Price(
            **_with_zeros(base),
            request=float(_usd(requests, 0) or 0.0) / 1_000,
            batch_factor=_factor(listed, batch),
            tiers=tuple(tiers),
            source=f"genai-prices {self.version}",
        )


def _usd(value: Any, prompt_tokens: int) -> float | None:
    """Return the rate of a listed value, which may have tiers, for a prompt of some length."""
    if value is None or not hasattr(value, "tiers"):
        return None if value is None else float(value)
    rate = value.base
    for tier in value.tiers:
        if prompt_tokens > tier.start:
            rate = tier.price
    return float(rate)


def _with_zeros(rates: dict[str, float | None]) -> dict[str, Any]:
    return rates | {"prompt": rates["prompt"] or 0.0, "completion": rates["completion"] or 0.0}


def _factor(usual: Any, batch: Any) -> float:
    before, after = _usd(usual.input_mtok, 0), _usd(batch.input_mtok, 0)
    return after / before if before and after is not None and after < before else 0.5


def _names_no_reseller(base_url: str) -> bool:
    """Tell whether a model costs there what its maker asks: at the maker's, or on this machine."""
    host = urlsplit(base_url).hostname or ""
    is_local = "." not in host or host.replace(".", "").isdigit()
    return is_local or f".{host}".endswith(_OWN_HOSTS)


@cache
def _installed() -> str | None:
    from importlib import metadata, util  # costs more than the whole lookup where it is not needed

    if util.find_spec("genai_prices") is None:
        return None
    return metadata.version("genai-prices")
