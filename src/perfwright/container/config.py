"""`perfwright.toml`, or `[tool.perfwright]` of `pyproject.toml`: read once, then trusted."""

from __future__ import annotations

import tomllib
from pathlib import Path

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


class LlmSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An OpenAI-compatible endpoint; its key comes from the environment only."""

    base_url: str | None = None
    model: str | None = None


class Config(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A whole configuration file; every section and field is optional."""

    target: TargetSection = TargetSection()
    database: DatabaseSection = DatabaseSection()
    load: LoadSection = LoadSection()
    quality: QualitySection = QualitySection()
    goal: GoalSection = GoalSection()
    llm: LlmSection = LlmSection()


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
