"""One place where a model is served, and what it allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from perfwright.core import ConfigError
from perfwright.limits import Rate
from perfwright.llm.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint of a provider; the order of a list of them is the order of preference.

    Raises:
        ConfigError: If a number is out of its range, or it has no name.
    """

    name: str = "default"
    """In errors, traces, metrics and statistics; also what its limits are shared under."""
    base_url: str = ""
    api_key: str | None = field(default=None, repr=False)
    model: str | None = None
    """Sent instead of the model that a request names: how a fallback serves another one."""
    models: tuple[str, ...] | None = None
    """Requests for other models do not come here; None takes all."""
    form: Literal["openai", "anthropic"] = "openai"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    requests: Rate | None = None
    """What it allows, in requests; None: not known, so it is learned."""
    tokens: Rate | None = None
    """The same in tokens, prompt and answer together."""
    max_concurrent: int | None = None
    """Requests at a time; None: as many as the rates allow."""
    weight: float | None = None
    """Endpoints next to one another in the list that have weights are equals: each call goes to
    the one that is least busy for its weight. None: taken strictly in the list's order."""
    transport: Transport | None = field(default=None, repr=False)
    """How to reach it; None: over HTTP, from `base_url` and `api_key`."""

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError(field="name", value=self.name, problem="give the endpoint a name")
        if self.max_concurrent is not None and self.max_concurrent < 1:
            raise ConfigError(
                field="max_concurrent", value=self.max_concurrent, problem="must be 1 or more"
            )
        if self.weight is not None and not 0.0 < self.weight < float("inf"):
            raise ConfigError(field="weight", value=self.weight, problem="must be above 0, finite")

    def serves(self, model: str) -> bool:
        """Tell whether requests for this model may come here."""
        return self.models is None or model in self.models
