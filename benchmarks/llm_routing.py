"""How well the learned router tells which prompts are worth the strong model, and how fast.

APGR is the mean share of the quality gap between two models that is recovered, over all shares of
strong calls: 0.5 for lots. CPT(x) is the share of strong calls that recovers x of the gap. Without
`--test` the router is judged by repeated cross-validation: each prompt by a model that has not seen
it. Intervals hold 95 % and come from drawing prompts again. Every line of the files is a JSON
object with `prompt`, `weak` and `strong`: what was asked, and whether each model was right.

    python benchmarks/llm_routing.py --train outcomes.jsonl [--test others.jsonl] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, quantiles

from _shared import circumstances, table

from perfwright.llm.routing import Goal, PairedOutcome, Router
from perfwright.llm.routing.gain import GainModel

BAR = 0.62
"""APGR; lots have 0.5, and the best simple way known on such data 0.64."""
CHOOSE_BAR_MS = 1.0
FOLDS = 5
RESAMPLES = 200
POINTS = (0.5, 0.8, 0.95)

HARD = re.compile(
    r"\b(analy[sz]e|prove|derive|calculate|compute|explain|why|compare|evaluate|algorithm|theorem|"
    r"equation|step by step|reason|design|optimi[sz]e|debug|probability|integral)\b"
)

Outcomes = Sequence[PairedOutcome]
Predict = Callable[[Outcomes, Outcomes, random.Random], list[float]]
"""From training and test prompts to a score per test prompt: the higher, the sooner strong."""


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    apgr: float
    low: float
    high: float
    shares: tuple[float, ...]


def main() -> int:
    arguments = parse()
    rng = random.Random(arguments.seed)
    train = read(arguments.train)
    test = read(arguments.test) if arguments.test else None
    print(circumstances(), end="\n\n")
    judged = test or train
    how = (
        "trained on the one, tested on the other" if test else f"{arguments.rounds} x {FOLDS} folds"
    )
    print(f"{len(train)} prompts to train on, {len(judged)} to test on: {how}.")
    right = fmean(o.weak for o in judged), fmean(o.strong for o in judged)
    print(f"Right: weak {right[0]:.1%}, strong {right[1]:.1%}\n")
    results = [
        measured(name, predict, train=train, test=test, rounds=arguments.rounds, rng=rng)
        for name, predict in WAYS.items()
    ]
    print(
        table(
            ("router", "APGR (95 %)", "strong calls for 50 / 80 / 95 % of the gap"), rows(results)
        )
    )
    chosen_ms = report_times(train, judged, rng)
    report_verdict(train, test)
    return verdict(next(r for r in results if r.name == "perfwright"), chosen_ms)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True, help="JSON lines to learn from")
    parser.add_argument("--test", type=Path, help="JSON lines to judge by, of other prompts")
    parser.add_argument("--rounds", type=int, default=5, help="cross-validations (default: 5)")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def read(path: Path) -> list[PairedOutcome]:
    try:
        with path.open(encoding="utf-8") as file:
            found = [json.loads(line) for line in file if line.strip()]
        return [
            PairedOutcome(prompt=o["prompt"], weak=float(o["weak"]), strong=float(o["strong"]))
            for o in found
        ]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise SystemExit(f"{path}: {error!r}; give JSON lines with prompt, weak, strong") from error


def by_lot(_train: Outcomes, test: Outcomes, rng: random.Random) -> list[float]:
    return [rng.random() for _ in test]


def by_length(_train: Outcomes, test: Outcomes, _rng: random.Random) -> list[float]:
    return [len(outcome.prompt) for outcome in test]


def by_keywords(_train: Outcomes, test: Outcomes, _rng: random.Random) -> list[float]:
    """Words that sound hard, code and numbers: what rule-based routers count. Ties by lot."""
    return [
        len(HARD.findall(o.prompt.lower()))
        + ("```" in o.prompt)
        + len(re.findall(r"\d+", o.prompt)) / 10
        for o in test
    ]


def by_perfwright(train: Outcomes, test: Outcomes, rng: random.Random) -> list[float]:
    model = GainModel.train(train, rng=rng)
    return [model.predict(outcome.prompt) for outcome in test]


def by_oracle(_train: Outcomes, test: Outcomes, _rng: random.Random) -> list[float]:
    return [outcome.gain for outcome in test]


WAYS: dict[str, Predict] = {
    "lots": by_lot,
    "length": by_length,
    "keywords": by_keywords,
    "perfwright": by_perfwright,
    "oracle": by_oracle,
}


def measured(
    name: str,
    predict: Predict,
    *,
    train: Outcomes,
    test: Outcomes | None,
    rounds: int,
    rng: random.Random,
) -> Result:
    """Score all prompts, in every round anew, and compare each round's order with the outcomes."""
    orders = []
    for _ in range(rounds):
        if test is None:
            orders.append(cross_validated(predict, train, rng))
        else:
            orders.append(ranked(test, predict(train, test, rng), rng))
    sample = test or train
    total = len(sample)
    resampled = []
    for _ in range(RESAMPLES):
        times = Counter(rng.choices(range(total), k=total))
        resampled.append(fmean(apgr(order, sample, times) for order in orders))
    cuts = quantiles(resampled, n=40)
    once = Counter(range(total))
    return Result(
        name,
        apgr=fmean(apgr(order, sample, once) for order in orders),
        low=cuts[0],
        high=cuts[-1],
        shares=tuple(fmean(strong_share(order, sample, gap) for order in orders) for gap in POINTS),
    )


def cross_validated(predict: Predict, outcomes: Outcomes, rng: random.Random) -> list[int]:
    places = list(range(len(outcomes)))
    rng.shuffle(places)
    scores = [0.0] * len(outcomes)
    for fold in range(FOLDS):
        held = places[fold::FOLDS]
        rest = [outcomes[place] for i, place in enumerate(places) if i % FOLDS != fold]
        for place, score in zip(
            held, predict(rest, [outcomes[place] for place in held], rng), strict=True
        ):
            scores[place] = score
    return ranked(outcomes, scores, rng)


def ranked(outcomes: Outcomes, scores: Sequence[float], rng: random.Random) -> list[int]:
    """Places by falling score; equal scores in the order of a lot."""
    lots = [rng.random() for _ in outcomes]
    return sorted(range(len(outcomes)), key=lambda place: (-scores[place], lots[place]))


def apgr(order: Sequence[int], outcomes: Outcomes, times: Counter[int]) -> float:
    """Mean share of the gap recovered after 0, 1, 2, ... strong calls."""
    gained = area = 0.0
    calls = 1
    for place in order:
        for _ in range(times[place]):
            gained += outcomes[place].gain
            area += gained
            calls += 1
    return area / calls / gained


def strong_share(order: Sequence[int], outcomes: Outcomes, gap: float) -> float:
    """Smallest share of strong calls that recovers so much of the gap."""
    needed = gap * sum(outcome.gain for outcome in outcomes)
    gained = 0.0
    for calls, place in enumerate(order, start=1):
        gained += outcomes[place].gain
        if gained >= needed:
            return calls / len(order)
    return 1.0


def rows(results: Sequence[Result]) -> list[tuple[str, str, str]]:
    return [
        (
            result.name,
            f"{result.apgr:.3f} ({result.low:.3f}-{result.high:.3f})",
            " / ".join(f"{100 * share:.0f}" for share in result.shares) + " %",
        )
        for result in results
    ]


def report_times(train: Outcomes, test: Outcomes, rng: random.Random) -> float:
    """Print how long it takes to train and to choose; returns the median choice in milliseconds."""
    start = time.process_time()
    model = GainModel.train(train, rng=rng)
    trained_s = time.process_time() - start
    choices_ms = []
    for outcome in rng.sample(list(test), min(1000, len(test))):
        start = time.perf_counter()
        model.predict(outcome.prompt)
        choices_ms.append(1000.0 * (time.perf_counter() - start))
    cuts = quantiles(choices_ms, n=100)
    print(f"\nTrained in {trained_s:.1f} s of one processor.")
    print(f"A choice takes {median(choices_ms):.2f} ms, p99 {cuts[98]:.2f} ms.")
    return median(choices_ms)


def report_verdict(train: Outcomes, test: Outcomes | None) -> None:
    """Print what the router promises for two goals and, on other prompts, what it kept."""
    for goal in (Goal(max_loss=0.03), Goal(strong_share=0.4)):
        router = Router.train(train, weak="weak", strong="strong", goal=goal)
        wanted = "loss <= 3 points" if goal.max_loss else "40 % strong calls"
        print(f"\n{wanted}: {router.verdict.decision.value}; {router.verdict.reason}")
        if test:
            weak = [router.decide(outcome.prompt) == "weak" for outcome in test]
            lost = fmean(o.gain if part else 0.0 for o, part in zip(test, weak, strict=True))
            print(f"  on the test file: {1 - fmean(weak):.1%} strong calls, loss {lost:.2%}")


def verdict(ours: Result, chosen_ms: float) -> int:
    good = ours.apgr >= BAR
    quick = chosen_ms <= CHOOSE_BAR_MS
    print(f"\nAPGR {ours.apgr:.3f} (bar {BAR}): {'PASS' if good else 'FAIL'}")
    print(f"Choice {chosen_ms:.2f} ms (bar {CHOOSE_BAR_MS:g}): {'PASS' if quick else 'FAIL'}")
    return 0 if good and quick else 1


if __name__ == "__main__":
    sys.exit(main())
