"""Builds the LLM runtime from `[llm]` and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from perfwright.container import checks
from perfwright.container.config import BudgetSection, EndpointSection, LlmSection, PriceSection
from perfwright.core import ConfigError, Dimension, MissingExtraError, parse_quantity, password_of

if TYPE_CHECKING:
    from perfwright.cache import AdvancedCache
    from perfwright.limits import Rate
    from perfwright.llm import OptimizedLLMAdapter
    from perfwright.llm.cost import Budget, Price
    from perfwright.llm.endpoints import CallSettings, Endpoint
    from perfwright.monitoring import PerformanceMonitor

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

    def default_model(self) -> str | None:
        """Return the model of calls that name none."""
        return self.model or self.environment.get(MODEL) or self.section.model

    def is_configured(self) -> bool:
        """Whether there is any place to send calls to."""
        place = place_of(self.section, self.environment, base_url=self.base_url)
        return place is not None or bool(self.section.endpoints)

    def endpoints(self) -> list[Endpoint]:
        """Return where calls may be sent, in the order of preference.

        Raises:
            ConfigError: If there is no place, or a variable that should hold a key does not.
        """
        checks.proxies(self.environment)
        told = self.base_url or self.environment.get(BASE_URL)
        share = 1.0 if redis_url(self.section, self.environment) else self.share
        if self.section.endpoints and not told:
            _refuse_two_ways(self.section)
            return [
                _endpoint(each, self.environment, share=share) for each in self.section.endpoints
            ]
        place = place_of(self.section, self.environment, base_url=self.base_url)
        if place is None:
            raise ConfigError(field="llm.base_url", value=None, problem=_NOWHERE)
        return [self._only(place, share)]

    def build(
        self,
        *,
        cache: AdvancedCache | None = None,
        redis_client: Any = None,
        monitor: PerformanceMonitor | None = None,
    ) -> OptimizedLLMAdapter:
        """Build the adapter; within the process, and for the event loop, that will use it.

        Args:
            cache: Where answers are kept; None: one of its own, unless `cache = false` is set.
            redis_client: Of the server that is named; None makes one.
            monitor: Sees each call as an operation.
        """
        from perfwright.llm import OptimizedLLMAdapter
        from perfwright.llm.telemetry import MonitorSink

        section = self.section
        if redis_client is None:
            redis_client = build_redis(section, self.environment)
        if cache is None and section.cache:
            cache = build_cache(section, redis_client=redis_client)
        ttl = section.cache_ttl
        return OptimizedLLMAdapter(
            endpoints=self.endpoints(),
            model=self.default_model(),
            settings=build_call_settings(section),
            cache=cache,
            cache_ttl_s=_CACHE_TTL_S if ttl is None else seconds_of(ttl, field="llm.cache_ttl"),
            redis_client=redis_client,
            budgets=self.all_budgets(),
            prices=build_prices(section.prices),
            trace_sinks=() if monitor is None else (MonitorSink(monitor),),
        )

    def _only(self, place: Place, share: float) -> Endpoint:
        from perfwright.llm.endpoints import Endpoint

        checks.http_url(place.base_url, field="llm.base_url")
        section, environment = self.section, self.environment
        checks.positive(section.requests_per_s, field="llm.requests_per_s")
        checks.at_least_one(section.max_concurrent, field="llm.max_concurrent")
        key = environment.get(API_KEY) or _named_key(section.api_key_env, environment, where="llm")
        if key is None and place.was_told:
            key = environment.get(f"{_OF_FORM[place.form]}_API_KEY")
        return Endpoint(
            base_url=place.base_url,
            api_key=key,
            form=place.form,
            requests=_rate(section.requests_per_s, share=share),
            max_concurrent=_part(section.max_concurrent, share),
        )


def _refuse_two_ways(section: LlmSection) -> None:
    """Refuse what belongs to the only endpoint where a list says which there are."""
    for name in ("base_url", "api_key_env", "requests_per_s", "max_concurrent"):
        if (value := getattr(section, name)) is not None:
            problem = "is not for [[llm.endpoints]], which have their own; move it there"
            raise ConfigError(field=f"llm.{name}", value=value, problem=problem)


def _endpoint(
    section: EndpointSection, environment: Mapping[str, str], *, share: float
) -> Endpoint:
    from perfwright.llm.endpoints import Endpoint

    name = section.name or urlsplit(section.base_url).hostname or "default"
    where = f"llm.endpoints {name!r}"
    checks.readable_name(name, field="llm.endpoints: name")
    checks.http_url(section.base_url, field=f"{where}: base_url")
    checks.some_models(section.models, field=f"{where}: models")
    checks.at_least_one(section.max_concurrent, field=f"{where}: max_concurrent")
    return Endpoint(
        name=name,
        base_url=section.base_url,
        api_key=_named_key(section.api_key_env, environment, where=where),
        form=section.form,
        model=section.model,
        models=section.models,
        requests=_rate_per_min(section, "requests", share=share, where=where),
        tokens=_rate_per_min(section, "tokens", share=share, where=where),
        max_concurrent=_part(section.max_concurrent, share),
    )


def build_budgets(sections: tuple[BudgetSection, ...]) -> list[Budget]:
    """Build the hard limits of `[[llm.budgets]]`."""
    from perfwright.llm.cost import Budget

    for each in sections:
        checks.readable_name(each.name, field="llm.budgets: name")
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

    checks.at_least_one(
        section.cache_entries, field="llm.cache_entries", instead="set cache = false"
    )
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
    named = {
        REDIS: environment.get(REDIS),
        "llm.redis_url": section.redis_url,
        "REDIS_URL": environment.get("REDIS_URL"),
    }
    field, url = next(((field, url) for field, url in named.items() if url), ("", None))
    if url is not None:
        checks.redis_database(url, field=field)
    return url


def seconds_of(text: str, *, field: str, or_none: bool = False) -> float:
    """Read a time such as `60s`; with `or_none` it may be `0s`.

    Raises:
        ConfigError: If it is none, or too short.
    """
    quantity = parse_quantity(text, what=field)
    is_enough = quantity.value >= 0 if or_none else quantity.value > 0
    if quantity.dimension is not Dimension.TIME or not is_enough:
        lowest = "of 0s or more" if or_none else "above 0"
        raise ConfigError(field=field, value=text, problem=f"must be a time {lowest}, such as 60s")
    return quantity.value


def period_s(text: str | None, *, field: str) -> float | None:
    """Read a period; a month has no fixed length, and is None as no period is."""
    if text is None or text == "month":
        return None
    return _PERIODS.get(text) or seconds_of(text, field=field)


def _named_key(variable: str | None, environment: Mapping[str, str], *, where: str) -> str | None:
    if variable is None:
        return None
    if not (key := environment.get(variable)):
        problem = "is not set, or empty; export it with the key, or take api_key_env out"
        raise ConfigError(field=f"{where}: api_key_env", value=variable, problem=problem)
    return key


def _rate(per_s: float | None, *, burst: float | None = None, share: float) -> Rate | None:
    """Return a part of a rate; a burst stays at least 1, or nothing would ever get through."""
    from perfwright.limits import Rate

    if per_s is None:
        return None
    whole = Rate(per_s, burst or max(1.0, per_s * _BURST_S))
    return Rate(whole.per_s * share, max(1.0, whole.burst * share))


def _rate_per_min(
    section: EndpointSection, of: Literal["requests", "tokens"], *, share: float, where: str
) -> Rate | None:
    per_min, burst = getattr(section, f"{of}_per_min"), getattr(section, f"{of}_burst")
    checks.positive(per_min, field=f"{where}: {of}_per_min")
    checks.positive(burst, field=f"{where}: {of}_burst")
    checks.only_with(
        given=burst, needed=per_min, field=f"{where}: {of}_burst", needs=f"{of}_per_min"
    )
    return _rate(None if per_min is None else per_min / 60.0, burst=burst, share=share)


def _part(count: int | None, share: float) -> int | None:
    return None if count is None else max(1, int(count * share))
