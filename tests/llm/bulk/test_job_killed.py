"""A bulk job that is killed with SIGKILL at random moments, against a provider that counts."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perfwright.llm.testing import SimulatedProvider

ROOT = Path(__file__).parents[3]
COUNT, MAX_IN_FLIGHT = 300, 8


def start(base_url: str, job: Path) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "tests.llm.bulk.killed_job", base_url, str(job)]
    return subprocess.Popen(
        [*program, str(COUNT), str(MAX_IN_FLIGHT)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def answers_in(job: Path) -> list[str]:
    """Return the digests of the whole lines that hold an answer."""
    whole = job.read_bytes().rpartition(b"\n")[0].splitlines() if job.exists() else []
    return [record["digest"] for record in map(json.loads, whole) if "ok" in record]


def wait_for(job: Path, *, answers: int) -> None:
    deadline_s = time.monotonic() + 30
    while len(answers_in(job)) < answers:
        assert time.monotonic() < deadline_s, f"no {answers} answers in {job}"
        time.sleep(0.002)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_job_sends_nothing_again_that_it_has_an_answer_to(
    tmp_path: Path, seed: int
) -> None:
    rng, job = random.Random(seed), tmp_path / "job.jsonl"
    with SimulatedProvider(latency_s=0.02, seed=seed) as provider:
        for _ in range(3):
            before = len(answers_in(job))
            with start(provider.base_url, job) as child:
                wait_for(job, answers=before + rng.randint(1, 60))
                time.sleep(rng.uniform(0, 0.01))
                child.kill()
            assert (
                provider.reset_counts()["attempts"]
                <= len(answers_in(job)) - before + 2 * MAX_IN_FLIGHT
            )
        before = len(answers_in(job))
        with start(provider.base_url, job) as child:
            texts = json.loads(child.communicate(timeout=30)[0])
        assert provider.counts()["attempts"] == COUNT - before  # each of the others, exactly once
    digests = answers_in(job)
    assert len(texts) == COUNT
    assert len(digests) == len(set(digests)) == COUNT  # none lost, none twice


def test_the_answers_of_a_killed_job_are_those_of_one_that_was_not(tmp_path: Path) -> None:
    with SimulatedProvider(latency_s=0.02, seed=3) as provider:
        with start(provider.base_url, tmp_path / "whole.jsonl") as child:
            expected = json.loads(child.communicate(timeout=30)[0])
        job = tmp_path / "killed.jsonl"
        with start(provider.base_url, job) as child:
            wait_for(job, answers=50)
            child.kill()
        with start(provider.base_url, job) as child:
            assert json.loads(child.communicate(timeout=30)[0]) == expected
