"""Shared by the tests of the rules: what a rule claims about a small program."""

from __future__ import annotations

import importlib

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
