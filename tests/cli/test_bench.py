"""`perfwright bench` as a command; what it measures is tested in tests/llm/benching."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from perfwright.llm import benching
from perfwright.llm.benching import BenchPlan
from tests.cli.calling import Caller, assert_refused

TINY = BenchPlan(
    rounds=1,
    memory_rounds=1,
    memory_calls=200,
    latency_s=0.005,
    batch=8,
    calls=200,
    different_prompts=4,
    turns=8,
    workers=4,
)


def test_the_command_prints_one_document(
    perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benching, "QUICK", TINY)
    done = perfwright("bench", "--quick", "--json")
    document = json.loads(done.out)
    assert document["schema"] == "perfwright/bench/1"
    assert done.code == (0 if all(each["is_met"] for each in document["claims"]) else 1)
    for each in document["claims"]:
        assert len(each["effects"]) == 1


def test_a_missed_claim_ends_with_code_1(
    perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benching, "QUICK", replace(TINY, batch=1))  # nothing to batch
    done = perfwright("bench", "--quick")
    assert done.code == 1
    assert "missed" in done.out


def test_a_redis_that_is_none_is_refused(perfwright: Caller) -> None:
    assert_refused(perfwright("bench", "--redis", "nonsense"), "redis", "nonsense")
