"""Shared by the tests of the rules: what is said about a small program."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis import diagnose
from perfwright.profiling.diagnosis.claim import Claim
from perfwright.profiling.diagnosis.examples import Where, example
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.model import Profile, State


def claims(rule: str, profile: Profile) -> list[Claim]:
    """All claims of the rule in this module of the package `kinds`."""
    module = importlib.import_module(f"perfwright.profiling.diagnosis.kinds.{rule}")
    return list(module.RULE.find(Run(profile)))


def culprits(
    rule: str, text: str, *paths: tuple[Where, ...], state: State = "running"
) -> list[str]:
    """Names of the functions that the rule blames for these samples."""
    return [c.function.name for c in claims(rule, example(text, *paths, state=state))]


def causes(
    text: str,
    *paths: tuple[Where, ...],
    state: State = "running",
    calls: Mapping[tuple[str, str], int] | None = None,
) -> dict[str, str]:
    """The kind that all rules together arrive at for each function; unknown ones left out."""
    return kinds_in(example(text, *paths, state=state, calls=calls))


def kinds_in(profile: Profile) -> dict[str, str]:
    """The same for a profile that was made by hand."""
    found = diagnose(profile)
    return {b.function.name: b.kind.value for b in found if b.kind is not BottleneckKind.UNKNOWN}
