"""Builds the gateway's settings, keys and their budgets from `[gateway]` and the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perfwright.container import checks
from perfwright.container.config import Config, GatewaySection, KeySection
from perfwright.container.llm import REDIS, LlmSetup, period_s, redis_url, seconds_of
from perfwright.core import ConfigError, Dimension, parse_quantity
from perfwright.limits import Rate

if TYPE_CHECKING:
    from perfwright.llm import OptimizedLLMAdapter
    from perfwright.llm.cost import Budget
    from perfwright.llm.gateway import GatewayKey, GatewaySettings

KEYS = "PERFWRIGHT_GATEWAY_KEYS"
"""Environment variable: keys without limits, as NAME=SECRET,NAME=SECRET."""
_MOST_WORKERS = 64
_SHORTEST = 8  # characters: shorter secrets can be tried out, since nothing slows that down


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A gateway that has been checked and not started."""

    settings: GatewaySettings
    keys: tuple[GatewayKey, ...]
    workers: int
    budgets: tuple[Budget, ...]
    """The keys' and the file's."""
    sends_to: tuple[str, ...]
    """Names and addresses of the endpoints, for people."""
    model: str
    """Of calls that name none; empty leaves that to the provider."""
    build: Callable[[], OptimizedLLMAdapter]
    """Makes the pipeline; once in each process."""


def build_plan(
    config: Config,
    environment: Mapping[str, str],
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    base_url: str | None = None,
    model: str | None = None,
    access_log: bool = False,
    drain_timeout_s: float | None = None,
) -> Plan:
    """Check everything that a gateway needs; what is given here goes before the file.

    Raises:
        ConfigError: If something is missing or cannot be used.
    """
    from perfwright.llm.gateway import KeyRing, refuse_open_door

    section = config.gateway
    count = section.workers if workers is None else workers
    if not 1 <= count <= _MOST_WORKERS:
        problem = f"must be 1 to {_MOST_WORKERS}"
        raise ConfigError(field="gateway.workers", value=count, problem=problem)
    settings = build_settings(section, host=host, port=port, access_log=access_log)
    if drain_timeout_s is not None:
        settings = replace(settings, drain_timeout_s=drain_timeout_s)
    keys = build_keys(section.keys, environment, workers=count)
    refuse_open_door(settings, has_keys=bool(keys))
    setup = LlmSetup(
        section=config.llm,
        environment=environment,
        base_url=base_url,
        model=model,
        budgets=tuple(build_key_budgets(section.keys)),
        share=1.0 / count,
    )
    KeyRing(keys, now_s=0.0)  # refuses two keys of one name or secret
    budgets = tuple(setup.all_budgets())
    if count > 1 and budgets and redis_url(config.llm, environment) is None:
        problem = (
            "without Redis budgets are counted in one process, so several would overspend; "
            f"take 1, or name a Redis server: {REDIS}, or [llm] redis_url"
        )
        raise ConfigError(field="gateway.workers", value=count, problem=problem)
    places = tuple(f"{each.name} ({each.base_url})" for each in setup.endpoints())
    return Plan(
        settings=settings,
        keys=tuple(keys),
        workers=count,
        budgets=budgets,
        sends_to=places,
        model=setup.default_model() or "",
        build=setup.build,
    )


def build_settings(
    section: GatewaySection, *, host: str | None, port: int | None, access_log: bool
) -> GatewaySettings:
    """Build the settings; what the command line says goes first.

    Raises:
        ConfigError: If one of them cannot be used.
    """
    from perfwright.llm.gateway import DEFAULT_PORT, GatewaySettings

    usual = GatewaySettings()
    first_host = next((each for each in (host, section.host) if each is not None), usual.host)
    if not first_host.strip():
        problem = "must be an address, such as 127.0.0.1; 0.0.0.0 is every one of this machine"
        raise ConfigError(field="host", value=first_host, problem=problem)
    first_port = next((each for each in (port, section.port) if each is not None), DEFAULT_PORT)
    return GatewaySettings(
        host=first_host,
        port=first_port,
        max_body_bytes=_bytes(section.max_body, usual=usual.max_body_bytes),
        drain_timeout_s=(
            usual.drain_timeout_s
            if section.drain is None
            else seconds_of(section.drain, field="gateway.drain", or_none=True)
        ),
        access_log=access_log,
    )


def build_keys(
    sections: Mapping[str, KeySection], environment: Mapping[str, str], *, workers: int = 1
) -> list[GatewayKey]:
    """Build the callers' keys of the file and the environment.

    Args:
        sections: By name.
        environment: Where secrets are.
        workers: Processes that share the rates: each gets its part.

    Raises:
        ConfigError: If a key has no secret, two, or one that is too short.
    """
    keys = [
        _key(name, each, environment=environment, workers=workers)
        for name, each in sections.items()
    ]
    for pair in filter(None, (part.strip() for part in environment.get(KEYS, "").split(","))):
        name, found, secret = pair.partition("=")
        if not found or not name.strip():
            problem = "must be NAME=SECRET,NAME=SECRET"
            raise ConfigError(field=KEYS, value="***", problem=problem)
        keys.append(_named(name.strip(), _digest(secret.strip(), field=KEYS)))
    return keys


def build_key_budgets(sections: Mapping[str, KeySection]) -> list[Budget]:
    """Build one budget for each key that has one: it pays what is booked under the key's name."""
    from perfwright.llm.cost import Budget
    from perfwright.llm.gateway.keys import LABEL

    for name, each in sections.items():
        checks.only_with(
            given=each.period,
            needed=each.budget_tokens if each.budget_usd is None else each.budget_usd,
            field=f"gateway.keys.{name}.period",
            needs="budget_usd or budget_tokens",
        )
    return [
        Budget(
            name=f"key {name}",
            usd=each.budget_usd,
            tokens=each.budget_tokens,
            monthly=each.period == "month",
            period_s=period_s(each.period, field=f"gateway.keys.{name}.period"),
            labels={LABEL: name},
        )
        for name, each in sections.items()
        if each.budget_usd is not None or each.budget_tokens is not None
    ]


def _key(
    name: str, section: KeySection, *, environment: Mapping[str, str], workers: int
) -> GatewayKey:
    field = f"gateway.keys.{name}"
    if (section.sha256 is None) == (section.env is None):
        problem = "give sha256, the hash of its secret, or env, a variable that holds it"
        raise ConfigError(field=field, value=None, problem=problem)
    digest = section.sha256
    if digest is None:
        secret = environment.get(section.env or "")
        if not secret:
            problem = "is not set, or empty; export it with the key's secret"
            raise ConfigError(field=f"{field}.env", value=section.env, problem=problem)
        digest = _digest(secret, field=f"{field}.env")
    checks.some_models(section.models, field=f"{field}.models")
    rate = _rate(section, field=field, workers=workers)
    models = None if section.models is None else frozenset(section.models)
    return _named(name, digest, models=models, requests=rate)


def _named(
    name: str,
    digest: str,
    *,
    models: frozenset[str] | None = None,
    requests: Rate | None = None,
) -> GatewayKey:
    from perfwright.llm.gateway import GatewayKey

    return GatewayKey(name=name, sha256=digest, models=models, requests=requests)


def _digest(secret: str, *, field: str) -> str:
    from perfwright.llm.gateway import sha256_of

    if len(secret) < _SHORTEST:
        problem = (
            f"holds a secret of under {_SHORTEST} characters, which can be guessed; to draw one: "
            "perfwright gateway --new-key NAME"
        )
        raise ConfigError(field=field, value="***", problem=problem)
    return sha256_of(secret)


def _rate(section: KeySection, *, field: str, workers: int) -> Rate | None:
    """Return a worker's part of a key's rate."""
    per_min, burst = section.requests_per_min, section.requests_burst
    checks.positive(per_min, field=f"{field}.requests_per_min")
    checks.positive(burst, field=f"{field}.requests_burst")
    checks.only_with(
        given=burst, needed=per_min, field=f"{field}.requests_burst", needs="requests_per_min"
    )
    if per_min is None:
        return None
    whole = Rate.per_minute(per_min, burst or 0.0)
    return Rate(whole.per_s / workers, max(1.0, whole.burst / workers))


def _bytes(text: str | None, *, usual: int) -> int:
    if text is None:
        return usual
    quantity = parse_quantity(text, what="gateway.max_body")
    if quantity.dimension is not Dimension.SIZE or quantity.value < 1:
        problem = "must be a size, such as 32MiB"
        raise ConfigError(field="gateway.max_body", value=text, problem=problem)
    return int(quantity.value)
