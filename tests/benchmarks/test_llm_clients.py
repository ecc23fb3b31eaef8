"""The client program of the LLM benchmarks: it counts what happened, and places every answer."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import pytest

from perfwright.llm.testing import SimulatedProvider


@pytest.fixture
def processes() -> ModuleType:
    return importlib.import_module("_llm_processes")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("aiohttp", {}),
        ("paced", {"requests_per_s": 500.0, "burst": 20}),
        ("perfwright", {"requests_per_s": 500.0, "burst": 20}),
    ],
)
def test_a_bulk_job_returns_each_answer_in_its_place(
    processes: ModuleType, name: str, options: dict[str, Any]
) -> None:
    texts = [f"prompt {number}" for number in range(40)]
    with (
        SimulatedProvider(seed=3) as provider,
        processes.client(name, provider.base_url, **options) as asked,
    ):
        firsts = asked.do("bulk", texts=texts, limit_s=30.0)["firsts"]
    assert len(firsts) == len(texts)
    assert processes.misplaced(texts, firsts, seed=3) == 0


def test_answers_in_each_others_places_are_noticed(processes: ModuleType) -> None:
    texts = ["one", "two"]
    with (
        SimulatedProvider(seed=3) as provider,
        processes.client("aiohttp", provider.base_url) as asked,
    ):
        firsts = asked.do("bulk", texts=texts, limit_s=30.0)["firsts"]
    swapped = {"0": firsts["1"], "1": firsts["0"]}
    assert processes.misplaced(texts, swapped, seed=3) == 2


def test_a_job_that_is_cut_off_keeps_what_it_has(processes: ModuleType) -> None:
    with (
        SimulatedProvider(requests_per_s=0.01, burst=5) as provider,
        processes.client("aiohttp", provider.base_url, in_flight=1) as asked,
    ):
        provider.set(latency_s=0.01)
        done = asked.do("bulk", texts=[str(n) for n in range(10)], limit_s=1.0)
    assert len(done["firsts"]) == 5


def test_failures_are_counted_by_their_names(processes: ModuleType) -> None:
    with (
        SimulatedProvider() as provider,
        processes.client("aiohttp", provider.base_url) as asked,
    ):
        ends = asked.do("ask_all", texts=["fine", "[refuse]"])["ends"]
    assert ends == {"answered": 1, "ClientResponseError": 1}


def test_a_share_of_the_calls_is_streamed(processes: ModuleType) -> None:
    with (
        SimulatedProvider(latency_s=0.05, cut_ratio=1.0) as provider,
        processes.client("perfwright", provider.base_url) as asked,
    ):
        found = asked.do(
            "ask_all", texts=["a", "b", "c", "d"], streamed=0.5, params={"timeout_s": 2}
        )
        cut = provider.counts()["faults"]["cut"]
    assert found["ends"]["answered"] == 2
    assert cut >= 2
