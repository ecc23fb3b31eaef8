"""`perfwright.toml`, or `[tool.perfwright]` of `pyproject.toml`: read once, then trusted."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from perfwright.core import ConfigError

FILE_NAME = "perfwright.toml"


class TargetSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is optimised, and what may be changed."""

    root: str = "."
    start: str | None = None
    ready: str | None = None
    reset: str | None = None
    allow: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()


class DatabaseSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The database, and what is asked of it."""

    url: str | None = None
    workload: str | None = None
    """A file of statements: `.sql`, JSON lines or, for PostgreSQL, a server log."""
    observe: str | None = None
    """How long to watch a PostgreSQL server, such as `60s`."""
    scratch: str | None = None
    """URL of a PostgreSQL database on whose server copies may be made."""


class LoadSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The traffic that whole-service runs replay."""

    urls: tuple[str, ...] = ()
    rate: str | None = None
    file: str | None = None


class QualitySection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Guardrails."""

    tests: str | None = None
    answers: str | None = None
    metrics: tuple[str, ...] = ()


class GoalSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Goals and limits."""

    metrics: tuple[str, ...] = ()
    budget: str | None = None
    scope: str | None = None


class EndpointSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One place where models are served; the order of the list is the order of preference."""

    base_url: str
    name: str = ""
    """In errors and statistics; else the host of `base_url`."""
    form: Literal["openai", "anthropic"] = "openai"
    api_key_env: str | None = None
    """The environment variable that holds its key."""
    model: str | None = None
    """Sent instead of the model that is asked for."""
    models: tuple[str, ...] | None = None
    """Calls for other models go elsewhere."""
    requests_per_min: float | None = None
    requests_burst: float | None = None
    tokens_per_min: float | None = None
    tokens_burst: float | None = None
    max_concurrent: int | None = None


class BudgetSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A hard limit on what is spent."""

    name: str
    usd: float | None = None
    tokens: int | None = None
    calls: int | None = None
    period: str | None = None
    """`hour`, `day`, `week`, `month` or a time such as `30m`; without one it is never refilled."""
    labels: dict[str, str] = {}
    per: str | None = None


class PriceSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What a model costs, in USD per million tokens."""

    prompt: float
    completion: float = 0.0
    cached: float | None = None
    cache_write: float | None = None


class LlmSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Language models; keys come from the environment only."""

    base_url: str | None = None
    """An endpoint, where one is enough."""
    form: Literal["openai", "anthropic"] = "openai"
    api_key_env: str | None = None
    model: str | None = None
    """Where a call names none."""
    endpoints: tuple[EndpointSection, ...] = ()
    requests_per_s: float | None = None
    max_concurrent: int | None = None
    timeout: str | None = None
    """For a whole call with its waits and retries."""
    max_retries: int | None = None
    hedge: bool | None = None
    cache: bool = True
    cache_ttl: str | None = None
    cache_entries: int | None = None
    redis_url: str | None = None
    """For the second tier of the cache and limits that several processes share; no password."""
    budgets: tuple[BudgetSection, ...] = ()
    prices: dict[str, PriceSection] = {}


class KeySection(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A caller of the gateway: `sha256` of its secret, or `env`, a variable that holds it."""

    sha256: str | None = None
    env: str | None = None
    models: tuple[str, ...] | None = None
    requests_per_min: float | None = None
    requests_burst: float | None = None
    budget_usd: float | None = None
    budget_tokens: int | None = None
    period: str | None = None


class GatewaySection(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The OpenAI-compatible server."""

    host: str | None = None
    port: int | None = None
    max_body: str | None = None
    """Of a request, such as `32MiB`."""
    drain: str | None = None
    """How long it waits for open calls when it stops."""
    workers: int = 1
    keys: dict[str, KeySection] = {}


class MonitoringSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The monitor and the bottleneck detector."""

    service: str | None = None
    """How this process calls itself to others."""
    slow_threshold: str | None = None
    histogram_window: int | None = None
    sample_ratio: float | None = None
    otlp_url: str | None = None
    """Of a collector, such as `http://127.0.0.1:4318`."""
    otlp_headers_env: str | None = None
    """Name of a variable with headers for it, such as `Authorization=Bearer%20TOKEN`."""
    otlp_max_queue: int | None = None
    """Spans that may wait for it."""
    time_threshold: str | None = None
    """The detector's."""
    memory_threshold: str | None = None


class ProfilingSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The profiler."""

    mode: Literal["deterministic", "sampling"] = "deterministic"
    cpu: bool = True
    memory: bool = True
    asyncio: bool = True
    rate_hz: float | None = None
    own: tuple[str, ...] = ()
    """Folders, files, patterns or packages that may be changed."""


class Config(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A whole configuration file; every section and field is optional."""

    target: TargetSection = TargetSection()
    database: DatabaseSection = DatabaseSection()
    load: LoadSection = LoadSection()
    quality: QualitySection = QualitySection()
    goal: GoalSection = GoalSection()
    llm: LlmSection = LlmSection()
    gateway: GatewaySection = GatewaySection()
    monitoring: MonitoringSection = MonitoringSection()
    profiling: ProfilingSection = ProfilingSection()


def load_config(folder: Path) -> Config:
    """Read the configuration of a folder; without one, the defaults.

    Raises:
        ConfigError: If a file is not TOML, or a field is unknown or of the wrong type.
    """
    own, project = folder / FILE_NAME, folder / "pyproject.toml"
    if own.is_file():
        return _convert(_read(own), source=own)
    if project.is_file():
        tools = _read(project).get("tool", {})
        section = tools.get("perfwright", {}) if isinstance(tools, dict) else tools
        return _convert(section, source=project)
    return Config()


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(field=str(path), value="", problem=f"is not TOML: {error}") from None
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise ConfigError(field=str(path), value="", problem=problem) from error


def _convert(values: object, *, source: Path) -> Config:
    try:
        return msgspec.convert(values, type=Config)
    except msgspec.ValidationError as error:
        raise ConfigError(field=str(source), value="", problem=str(error)) from None
