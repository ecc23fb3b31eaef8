from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator

from perfwright.core import Arm
from perfwright.experiments import Winner
from perfwright.report import comparison_document, load_schema, run_document
from tests.report import records

RUNS = [records.full_run, records.profile_run, records.empty_run, records.hostile_run]


def assert_valid(document: dict[str, Any], schema: Literal["run", "compare"]) -> None:
    """Check a document as a stranger would: as strict JSON text, against the published schema."""
    text = json.dumps(document, allow_nan=False)
    text.encode("utf-8")
    problems = [error.message for error in validator(schema).iter_errors(json.loads(text))]
    assert problems == []


def validator(schema: Literal["run", "compare"]) -> Draft202012Validator:
    return Draft202012Validator(load_schema(schema))


@pytest.mark.parametrize("schema", ["run", "compare"])
def test_the_published_schemas_are_schemas(schema: Literal["run", "compare"]) -> None:
    Draft202012Validator.check_schema(load_schema(schema))
    assert load_schema(schema)["title"] == f"perfwright/{schema}/1"


@pytest.mark.parametrize("run", RUNS)
def test_every_run_keeps_the_published_schema(run: Any) -> None:
    assert_valid(run_document(run()), "run")


@pytest.mark.parametrize("winner", list(Winner))
def test_every_comparison_keeps_the_published_schema(winner: Winner) -> None:
    assert_valid(comparison_document(records.compared(winner)), "compare")


@pytest.mark.parametrize("name", ["findings", "experiments", "spent", "goals", "target", "run"])
def test_a_document_without_a_promised_field_is_refused(name: str) -> None:
    document = run_document(records.full_run())
    del document[name]
    assert not validator("run").is_valid(document)


def test_an_unknown_verdict_is_refused() -> None:
    document = run_document(records.full_run())
    document["experiments"][0]["verdict"] = "probably"
    assert not validator("run").is_valid(document)


def test_an_experiment_carries_what_it_takes_to_repeat_and_to_undo_it() -> None:
    first = run_document(records.full_run())["experiments"][0]
    assert first["change"]["apply"][0].startswith("CREATE INDEX reviews_product_created")
    assert first["change"]["revert"] == ["DROP INDEX IF EXISTS reviews_product_created"]
    assert (first["verdict"], first["because"]) == ("kept", ["f1"])
    assert first["witnesses"]["pages_read"] == {"before": 410_233.0, "after": 9_120.0}


def test_an_experiment_that_was_never_timed_has_no_measurement() -> None:
    failed = run_document(records.full_run())["experiments"][4]
    assert (failed["verdict"], failed["measured"], failed["samples"]) == ("failed", None, [])


def test_predicted_and_measured_stand_side_by_side() -> None:
    first = run_document(records.full_run())["experiments"][0]
    assert first["predicted"]["ratio"] == 0.22
    assert first["measured"]["ratio"] == pytest.approx(0.283)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_does_not_have_become_null(value: float) -> None:
    run = replace(
        records.full_run(),
        overall=replace(records.measurement(0.5), ratio=value, interval=(0.0, value)),
        spent={"time": value},
    )
    document = run_document(run)
    assert document["overall"]["ratio"] is None
    assert document["overall"]["interval"] == [0.0, None]
    assert_valid(document, "run")


def test_half_of_a_character_does_not_break_the_document() -> None:
    run = replace(records.full_run(), notes=("a lone surrogate: \ud83d",))
    assert_valid(run_document(run), "run")


def test_values_in_quoted_statements_are_hidden_unless_asked_for() -> None:
    hidden = json.dumps(run_document(records.full_run()))
    shown = json.dumps(run_document(records.full_run(), mask_literals=False))
    assert "TEA-0815" not in hidden
    assert "TEA-0815" in shown


def test_values_in_a_change_stay_because_they_are_code() -> None:
    first = run_document(records.full_run())["experiments"][0]
    assert first["change"]["apply"][0].endswith("WHERE state = 'published'")


@pytest.mark.parametrize("mask", [True, False])
def test_the_password_of_a_target_is_never_shown(mask: bool) -> None:
    document = run_document(records.hostile_run(), mask_literals=mask)
    assert document["target"].startswith("postgresql://admin:***@db/")
    assert "hunter2" not in json.dumps(document)


def test_memory_is_counted_in_bytes_whatever_the_record_says() -> None:
    metrics = comparison_document(records.compared())["metrics"]
    assert (metrics["memory"]["unit"], metrics["wall"]["unit"]) == ("B", "s")


def test_the_ratio_of_a_comparison_is_that_of_the_deciding_metric() -> None:
    cpu = records.measurement(0.9, metric="cpu")
    both = {"wall": records.measurement(0.97, metric="wall"), "cpu": cpu}
    document = comparison_document(records.compared(basis="cpu", measured=both))
    assert (document["basis"], document["ratio"]) == ("cpu", 0.9)


def test_each_side_of_a_comparison_has_its_own_numbers() -> None:
    document = comparison_document(records.compared())
    assert document["a"]["command"] == "python3 sort_bubble.py --size 2000"
    assert (document["a"]["wall_s"], document["b"]["peak_bytes"]) == (0.412, 31_300_000)


def test_a_comparison_without_samples_says_null_instead_of_inventing_numbers() -> None:
    bare = records.compared(
        Winner.INCONCLUSIVE, measured={}, samples=(), noise_floor=math.inf, guardrails=()
    )
    document = comparison_document(replace(bare, exit_codes={Arm.A: 1}))
    assert (document["ratio"], document["interval"], document["noise_floor"]) == (None, None, None)
    assert document["b"] == {
        "command": "python3 sort_heap.py --size 2000",
        "wall_s": None,
        "cpu_s": None,
        "peak_bytes": None,
        "exit_code": None,
    }
    assert_valid(document, "compare")
