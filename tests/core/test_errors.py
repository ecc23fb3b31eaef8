"""Errors: one tree, facts as fields, a message that says what to do."""

from __future__ import annotations

import inspect

import pytest

from perfwright import core
from perfwright.core import errors


@pytest.mark.parametrize(
    ("error", "fields", "says"),
    [
        (
            core.GrammarError(what="goal", text="p95<x", position=4, expected="a number"),
            {"what": "goal", "text": "p95<x", "position": 4, "expected": "a number"},
            "goal does not parse: expected a number\n  p95<x\n      ^",
        ),
        (
            core.ConfigError(field="pairs", value=3, problem="too few"),
            {"field": "pairs", "value": 3, "problem": "too few"},
            "pairs = 3: too few",
        ),
        (
            core.BusyTargetError(target="x.db", problem="is locked", remedy="wait"),
            {"target": "x.db", "problem": "is locked", "remedy": "wait"},
            "x.db: is locked; wait",
        ),
        (
            core.MissingExtraError(feature="PostgreSQL", extra="postgres"),
            {"feature": "PostgreSQL", "extra": "postgres"},
            "pip install 'perfwright[postgres]'",
        ),
        (
            core.TooFewSamplesError(have=3, need=8),
            {"have": 3, "need": 8},
            "3 samples, but at least 8 are needed",
        ),
        (
            core.ForbiddenChangeError(change="DROP TABLE x", problem="never"),
            {"change": "DROP TABLE x", "problem": "never"},
            "could not apply 'DROP TABLE x': never",
        ),
        (
            core.RevertError(change="an index", problem="disk full", inverse="DROP INDEX i"),
            {"change": "an index", "problem": "disk full", "inverse": "DROP INDEX i"},
            "Run this by hand: DROP INDEX i",
        ),
        (
            core.LedgerDamagedError(where="x.db", problem="is torn"),
            {"where": "x.db", "problem": "is torn"},
            "nothing was changed. Restore it from a copy",
        ),
        (
            core.UnknownRecordError(kind="run", identifier="r9"),
            {"kind": "run", "identifier": "r9"},
            "no run 'r9' in the ledger",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_carries_its_facts(
    error: core.PerfwrightError, fields: dict[str, object], says: str
) -> None:
    assert {name: getattr(error, name) for name in fields} == fields
    assert says in str(error)


def test_every_error_belongs_to_the_tree() -> None:
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    assert len(classes) > 10
    assert [kind for kind in classes if not issubclass(kind, core.PerfwrightError)] == []


def test_every_error_stands_in_the_drawing_of_the_tree() -> None:
    names = [name for name, _ in inspect.getmembers(errors, inspect.isclass)]
    assert [name for name in names if name not in str(errors.__doc__)] == []
