"""A router learns who gains, survives its file, and refuses noise."""

from __future__ import annotations

import functools
import random
from pathlib import Path
from typing import Any

import pytest

from perfwright.core import ConfigError, TooFewSamplesError
from perfwright.llm.routing import Decision, Goal, PairedOutcome, Router
from tests.llm.routing.worlds import STRONG, WEAK, outcomes, request

SUM = "What is 12 * 34 + 5?"
STORY = "Tell me a story of a king who meets an owl."


@functools.cache
def trained(seed: int = 1, *, told: float = 0.5, count: int = 600) -> Router:
    return Router.train(
        outcomes(seed, count=count, told=told),
        weak=WEAK,
        strong=STRONG,
        goal=Goal(strong_share=0.5),
        rng=random.Random(seed),
    )


def test_the_gain_is_higher_where_the_strong_model_gains() -> None:
    router = trained()
    assert router.gain(SUM) == pytest.approx(0.5, abs=0.15)
    assert router.gain(STORY) == pytest.approx(0.0, abs=0.15)


def test_prompts_go_where_they_gain() -> None:
    router = trained()
    assert (router.decide(SUM), router.decide(STORY)) == (STRONG, WEAK)


def test_the_reason_compares_the_gain_with_the_threshold() -> None:
    assert "is at least the threshold" in trained().decide(SUM).reason


def test_a_prompt_that_both_fail_is_not_worth_the_strong_model() -> None:
    rng = random.Random(4)
    hopeless = [
        PairedOutcome(prompt=f"Prove conjecture number {rng.randrange(999)}", weak=0.0, strong=0.0)
        for _ in range(200)
    ]
    router = Router.train(
        [*hopeless, *outcomes(4, count=400, told=0.5)],
        weak=WEAK,
        strong=STRONG,
        goal=Goal(strong_share=0.3),
    )
    assert router.decide("Prove conjecture number 7") == WEAK


def test_noise_is_seldom_routed() -> None:
    routed = 0
    for seed in range(30):
        rng = random.Random(seed)
        noise = [
            PairedOutcome(prompt=one.prompt, weak=rng.random() < 0.65, strong=rng.random() < 0.9)
            for one in outcomes(seed, count=200, told=0.0)
        ]
        router = Router.train(noise, weak=WEAK, strong=STRONG, rng=random.Random(seed))
        routed += router.verdict.routes
    assert routed <= 1


def test_a_router_that_must_not_route_sends_all_to_one_model() -> None:
    router = Router.train(outcomes(3, count=300, told=0.0), weak=WEAK, strong=STRONG)
    assert router.verdict.decision is Decision.ALWAYS_STRONG
    choice = router.decide(STORY)
    assert choice == STRONG
    assert "no saving proven" in choice.reason


def test_a_clear_difference_is_routed() -> None:
    routed = sum(trained(seed, count=300).verdict.routes for seed in range(4))
    assert routed == 4


def test_training_again_gives_the_same_router() -> None:
    first, second = trained(), trained.__wrapped__()
    assert first.gain("What is 7 * 8?") == second.gain("What is 7 * 8?")
    assert first.verdict == second.verdict


def test_a_replay_of_newer_outcomes_confirms_the_router() -> None:
    evidence = trained().replay(outcomes(99, count=1_000, told=0.5))
    assert evidence.strong_share == pytest.approx(0.5, abs=0.05)
    assert evidence.p_value < 0.001
    assert evidence.loss.low < 0.0 < evidence.advantage.low


def test_a_replay_shows_that_the_traffic_has_changed() -> None:
    evidence = trained().replay(outcomes(99, count=1_000, told=0.0))
    assert evidence.p_value > 0.05
    assert evidence.loss.low > 0.05


def test_a_replay_of_nothing_is_refused() -> None:
    with pytest.raises(TooFewSamplesError):
        trained().replay([])


def test_too_few_outcomes_prove_nothing() -> None:
    with pytest.raises(TooFewSamplesError, match="200 are needed"):
        trained(count=199)


@pytest.mark.parametrize("prompt", ["", "the same"])
def test_prompts_that_never_differ_are_not_routed(prompt: str) -> None:
    rng = random.Random(1)
    same = [
        PairedOutcome(prompt=prompt, weak=float(rng.random() < 0.5), strong=1.0) for _ in range(200)
    ]
    router = Router.train(same, weak=WEAK, strong=STRONG)
    assert router.decide(prompt) == STRONG


@pytest.mark.parametrize("success", [-0.1, 95.0, float("nan")])
def test_a_success_is_a_share(success: float) -> None:
    with pytest.raises(ConfigError, match="weak"):
        PairedOutcome(prompt="", weak=success, strong=1.0)


@pytest.mark.parametrize(("field", "value"), [("strong", WEAK), ("level", 0.0), ("level", 1.0)])
def test_a_training_that_makes_no_sense_is_refused(field: str, value: Any) -> None:
    settings: dict[str, Any] = {"weak": WEAK, "strong": STRONG, field: value}
    with pytest.raises(ConfigError, match=field):
        Router.train(outcomes(1, count=200, told=0.5), **settings)


def test_the_users_last_message_is_what_is_read() -> None:
    router = trained()
    body: dict[str, Any] = {
        "messages": [
            {"role": "user", "content": SUM},
            {"role": "assistant", "content": "413"},
            {"role": "user", "content": [{"type": "text", "text": STORY}]},
        ]
    }
    assert router.choose(request(**body)) == WEAK


@pytest.mark.parametrize(
    "prompt", ["", " ", "\n\n", "?", "\U0001f600" * 9, "漢字" * 50, "a" * 1_000_000]
)
def test_any_prompt_gets_a_model(prompt: str) -> None:
    assert trained(count=200).decide(prompt) in (WEAK, STRONG)


def test_a_saved_router_decides_the_same(tmp_path: Path) -> None:
    router = trained()
    router.save(tmp_path / "router")
    loaded = Router.load(tmp_path / "router")
    assert loaded.verdict == router.verdict
    for prompt in (SUM, STORY, "", "What would a king do with 12 * 4 owls?"):
        assert loaded.gain(prompt) == router.gain(prompt)


def test_saving_replaces_the_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "router").write_text("old")
    trained(count=200).save(tmp_path / "router")
    assert [file.name for file in tmp_path.iterdir()] == ["router"]
    assert Router.load(tmp_path / "router").weak == WEAK


@pytest.mark.parametrize("place", [0, 8, 9, 30, 41, 500, -1])
def test_a_damaged_file_is_refused(tmp_path: Path, place: int) -> None:
    path = tmp_path / "router"
    trained(count=200).save(path)
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="router"):
        Router.load(path)


@pytest.mark.parametrize("size", [0, 5, 8, 9, 41, 300])
def test_a_cut_file_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "router"
    trained(count=200).save(path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ConfigError, match=r"train the router again|no router's file"):
        Router.load(path)


def test_a_file_of_another_version_says_so(tmp_path: Path) -> None:
    path = tmp_path / "router"
    path.write_bytes(b"PWROUTER" + bytes([9]) + bytes(64))
    with pytest.raises(ConfigError, match="has version 9, not 1"):
        Router.load(path)
