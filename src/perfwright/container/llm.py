"""Builds the LLM runtime from `[llm]` and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from perfwright.container.config import BudgetSection, EndpointSection, LlmSection, PriceSection
from perfwright.core import ConfigError, Dimension, MissingExtraError, parse_quantity, password_of

if TYPE_CHECKING:
    from perfwright.cache import AdvancedCache
    from perfwright.limits import Rate
    from perfwright.llm import OptimizedLLMAdapter
    from perfwright.llm.cost import Budget, Price
    from perfwright.llm.endpoints import CallSettings, Endpoint

_USUAL: dict[Literal["openai", "anthropic"], str] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
}
BASE_URL, MODEL, API_KEY, REDIS = (
    "PERFWRIGHT_LLM_BASE_URL",
    "PERFWRIGHT_LLM_MODEL",
    "PERFWRIGHT_LLM_API_KEY",
    "PERFWRIGHT_REDIS_URL",
)
"""Environment variables of our own: they go before the file, as the command line does."""
_NOWHERE = (
    "no language model is known: export OPENAI_API_KEY or ANTHROPIC_API_KEY, or name an endpoint "
    f"by --base-url, {BASE_URL}, or [llm] base_url in perfwright.toml"
)
_CACHE_TTL_S = 3_600.0
_BURST_S = 0.1
"""A declared rate lets through at once what it brings in so long: providers keep to seconds."""
_PERIODS = {"hour": 3_600.0, "day": 86_400.0, "week": 604_800.0}
_OF_FORM = {"openai": "OPENAI", "anthropic": "ANTHROPIC"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where models are served, when there is one place only."""

    base_url: str
    form: Literal["openai", "anthropic"]
    was_told: bool
    """By the command line or the environment: then the provider's usual key goes there too."""


def place_of(
    section: LlmSection, environment: Mapping[str, str], *, base_url: str | None = None
) -> Place | None:
    """Find the endpoint: what the user says now, else the file, else whose key there is."""
    told = base_url or environment.get(BASE_URL)
    if told:
        return Place(base_url=told, form=section.form, was_told=True)
    if section.base_url:
        return Place(base_url=section.base_url, form=section.form, was_told=False)
    for form, usual in _USUAL.items():
        prefix = _OF_FORM[form]
        if found := environment.get(f"{prefix}_BASE_URL"):
            return Place(base_url=found, form=form, was_told=True)
        if environment.get(f"{prefix}_API_KEY"):
            return Place(base_url=usual, form=form, was_told=True)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmSetup:
    """All that an adapter is built from."""

    section: LlmSection
    environment: Mapping[str, str]
    base_url: str | None = None
    """From the command line; like the variable, it goes before the file and all its endpoints."""
    model: str | None = None
    budgets: tuple[Budget, ...] = ()
    """Beside those of the file."""
    share: float = 1.0
    """This process's part of limits that are declared and not shared by Redis, 0 to 1."""

    def all_budgets(self) -> list[Budget]:
        """Return the hard limits."""
        return [*build_budgets(self.section.budgets), *self.budgets]

    def is_configured(self) -> bool:
        """Whether there is any place to send calls to."""
        place = place_of(self.section, self.environment, base_url=self.base_url)
        return place is not None or bool(self.section.endpoints)

    def endpoints(self) -> list[Endpoint]:
        """Return where calls may be sent, in the order of preference.

        Raises:
            ConfigError: If there is no place, or a variable that should hold a key does not.
        """
        told = self.base_url or self.environment.get(BASE_URL)
        share = 1.0 if redis_url(self.section, self.environment) else self.share
        if self.section.endpoints and not told:
            return [
                _endpoint(each, self.environment, share=share) for each in self.section.endpoints
            ]
        place = place_of(self.section, self.environment, base_url=self.base_url)
        if place is None:
            raise ConfigError(field="llm.base_url", value=None, problem=_NOWHERE)
        return [self._only(place, share)]

    def build(
        self, *, cache: AdvancedCache | None = None, redis_client: Any = None
    ) -> OptimizedLLMAdapter:
        """Build the adapter; within the process, and for the event loop, that will use it.

        Args:
            cache: Where answers are kept; None: one of its own, unless `cache = false` is set.
            redis_client: Of the server that is named; None makes one.
        """
        from perfwright.llm import OptimizedLLMAdapter

        section = self.section
        if redis_client is None:
            redis_client = build_redis(section, self.environment)
        if cache is None and section.cache:
            cache = build_cache(section, redis_client=redis_client)
        ttl = section.cache_ttl
        return OptimizedLLMAdapter(
            endpoints=self.endpoints(),
            model=self.model or self.environment.get(MODEL) or section.model,
            settings=build_call_settings(section),
            cache=cache,
            cache_ttl_s=_CACHE_TTL_S if ttl is None else seconds_of(ttl, field="llm.cache_ttl"),
            redis_client=redis_client,
            budgets=self.all_budgets(),
            prices=build_prices(section.prices),
        )

    def _only(self, place: Place, share: float) -> Endpoint:
        from perfwright.llm.endpoints import Endpoint

        checked_url(place.base_url, field="llm.base_url")
        section, environment = self.section, self.environment
        key = environment.get(API_KEY) or _named_key(section.api_key_env, environment, where="llm")
        if key is None and place.was_told:
            key = environment.get(f"{_OF_FORM[place.form]}_API_KEY")
        return Endpoint(
            base_url=place.base_url,
            api_key=key,
            form=place.form,
            requests=_rate(section.requests_per_s, burst=0.0, share=share),
            max_concurrent=_part(section.max_concurrent, share),
        )


def _endpoint(
    section: EndpointSection, environment: Mapping[str, str], *, share: float
) -> Endpoint:
    from perfwright.llm.endpoints import Endpoint

    name = section.name or urlsplit(section.base_url).hostname or "default"
    checked_url(section.base_url, field=f"llm.endpoints {name}: base_url")
    return Endpoint(
        name=name,
        base_url=section.base_url,
        api_key=_named_key(section.api_key_env, environment, where=f"llm.endpoints {name}"),
        form=section.form,
        model=section.model,
        models=section.models,
        requests=_rate_per_min(section.requests_per_min, burst=section.requests_burst, share=share),
        tokens=_rate_per_min(section.tokens_per_min, burst=section.tokens_burst, share=share),
        max_concurrent=_part(section.max_concurrent, share),
    )


def build_budgets(sections: tuple[BudgetSection, ...]) -> list[Budget]:
    """Build the hard limits of `[[llm.budgets]]`."""
    from perfwright.llm.cost import Budget

    return [
        Budget(
            name=each.name,
            usd=each.usd,
            tokens=each.tokens,
            calls=each.calls,
            labels=each.labels,
            per=each.per,
            monthly=each.period == "month",
            period_s=period_s(each.period, field=f"llm.budgets {each.name}: period"),
        )
        for each in sections
    ]


def build_prices(sections: Mapping[str, PriceSection]) -> dict[str, Price]:
    """Build the prices that the user gives; they go before every table."""
    from perfwright.llm.cost import Price

    return {
        model: Price(
            prompt=each.prompt,
            completion=each.completion,
            cached=each.cached,
            cache_write=each.cache_write,
            source="perfwright.toml",
        )
        for model, each in sections.items()
    }


def build_call_settings(section: LlmSection) -> CallSettings:
    """Build what holds for all calls."""
    from perfwright.llm.endpoints import CallSettings

    given: dict[str, Any] = {"max_retries": section.max_retries, "hedge": section.hedge}
    if section.timeout is not None:
        given["timeout_s"] = seconds_of(section.timeout, field="llm.timeout")
    return CallSettings(**{name: value for name, value in given.items() if value is not None})


def build_cache(section: LlmSection, *, redis_client: Any) -> AdvancedCache:
    """Build the cache: memory, and Redis behind it where there is one."""
    from perfwright.cache import AdvancedCache

    return AdvancedCache(redis_client=redis_client, local_max_size=section.cache_entries or 1_000)


def build_redis(section: LlmSection, environment: Mapping[str, str]) -> Any:
    """Build the client of the Redis server that is named, or None; nothing is connected yet.

    Raises:
        ConfigError: If the file's URL holds a password.
        MissingExtraError: If redis-py is not installed.
    """
    url = redis_url(section, environment)
    if url is None:
        return None
    try:
        from redis.asyncio import Redis
    except ImportError as error:
        raise MissingExtraError(feature=f"a Redis server ({REDIS})", extra="redis") from error
    try:
        return Redis.from_url(url)
    except ValueError as error:  # its text names the schemes, not the URL
        raise ConfigError(field="llm.redis_url", value="***", problem=str(error)) from None


def redis_url(section: LlmSection, environment: Mapping[str, str]) -> str | None:
    """Return the Redis server that is named: by our variable, the file, or the usual variable.

    Raises:
        ConfigError: If the file's URL holds a password.
    """
    if section.redis_url and password_of(section.redis_url) is not None:
        problem = f"holds a password; take it out, and export {REDIS} with it"
        raise ConfigError(field="llm.redis_url", value="***", problem=problem)
    return environment.get(REDIS) or section.redis_url or environment.get("REDIS_URL") or None


def seconds_of(text: str, *, field: str) -> float:
    """Read a time such as `60s`.

    Raises:
        ConfigError: If it is none, or not above 0.
    """
    quantity = parse_quantity(text, what=field)
    if quantity.dimension is not Dimension.TIME or quantity.value <= 0:
        raise ConfigError(field=field, value=text, problem="must be a time above 0, such as 60s")
    return quantity.value


def period_s(text: str | None, *, field: str) -> float | None:
    """Read a period; a month has no fixed length, and is None as no period is."""
    if text is None or text == "month":
        return None
    return _PERIODS.get(text) or seconds_of(text, field=field)


def checked_url(url: str, *, field: str) -> None:
    """Refuse what no HTTP request can be sent to.

    Raises:
        ConfigError: If it has another scheme, no host, or a password.
    """
    if password_of(url) is not None:
        raise ConfigError(field=field, value="***", problem="holds a password; name api_key_env")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        problem = "must be an HTTP URL, such as https://api.openai.com/v1"
        raise ConfigError(field=field, value=url, problem=problem)


def _named_key(variable: str | None, environment: Mapping[str, str], *, where: str) -> str | None:
    if variable is None:
        return None
    if not (key := environment.get(variable)):
        problem = "is not set, or empty; export it with the key, or take api_key_env out"
        raise ConfigError(field=f"{where}: api_key_env", value=variable, problem=problem)
    return key


def _rate(per_s: float | None, *, burst: float, share: float) -> Rate | None:
    """Return a part of a rate; a burst stays at least 1, or nothing would ever get through."""
    from perfwright.limits import Rate

    if per_s is None:
        return None
    whole = Rate(per_s, burst or max(1.0, per_s * _BURST_S))
    return Rate(whole.per_s * share, max(1.0, whole.burst * share))


def _rate_per_min(per_min: float | None, *, burst: float, share: float) -> Rate | None:
    return _rate(None if per_min is None else per_min / 60.0, burst=burst, share=share)


def _part(count: int | None, share: float) -> int | None:
    return None if count is None else max(1, int(count * share))
