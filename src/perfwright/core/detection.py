"""Detectors, remedies and the registry that finds them: one file, one rule."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Generic, TypeVar

from perfwright.core.errors import ConfigError
from perfwright.core.model import Finding, Layer, Proposal, Scope

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ArtifactsT = TypeVar("ArtifactsT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector(Generic[ArtifactsT]):
    """A pure rule that reads artifacts and yields findings.

    `fires_on` and `silent_on` are examples that the shared test suite runs.
    """

    id: str
    """The file name with dashes: a noun, the failing state."""
    layer: Layer
    title: str
    """Imperative: what to do."""
    why: str
    needs: tuple[str, ...]
    """Fields of the artifacts that the rule reads; when one is None the rule is skipped."""
    scope: Scope
    find: Callable[[ArtifactsT], Iterator[Finding]]
    limits: str
    fires_on: ArtifactsT
    silent_on: ArtifactsT


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy(Generic[ArtifactsT]):
    """A pure rule that turns findings into proposals."""

    id: str
    layer: Layer
    answers: tuple[str, ...]
    """Identifiers of the detectors whose findings it takes."""
    scope: Scope
    propose: Callable[[ArtifactsT, tuple[Finding, ...]], Iterator[Proposal]]
    why: str


Rule = TypeVar("Rule")


def discover(
    package: ModuleType, *, kind: type[Rule], group: str | None = None
) -> tuple[Rule, ...]:
    """Collect the `RULE` of every module of `package`, and of the entry-point `group`.

    Returns:
        The rules sorted by identifier, so that a run does not depend on the file system.

    Raises:
        ConfigError: If a module has no `RULE` of this kind, or two share an identifier.
    """
    modules = (
        importlib.import_module(f"{package.__name__}.{info.name}")
        for info in pkgutil.iter_modules(package.__path__)
        if not info.name.startswith("_")
    )
    own = ((module.__name__, getattr(module, "RULE", None)) for module in modules)
    foreign = ((point.value, point.load()) for point in (_entry_points(group) if group else ()))
    return _unique((*own, *foreign), kind=kind)


def _unique(rules: Iterable[tuple[str, object]], *, kind: type[Rule]) -> tuple[Rule, ...]:
    found: dict[str, Rule] = {}
    for origin, rule in rules:
        if not isinstance(rule, kind):
            raise ConfigError(
                field=f"{origin}.RULE", value=rule, problem=f"is not a {kind.__name__}"
            )
        identifier: str = getattr(rule, "id")  # noqa: B009 - the bound is a class, not a Protocol
        if identifier in found:
            raise ConfigError(field=f"{origin}.RULE", value=identifier, problem="is taken already")
        found[identifier] = rule
    return tuple(found[identifier] for identifier in sorted(found))


def _entry_points(group: str) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # 10 ms that most importers need not pay

    return entry_points(group=group)
