"""What clients of language models do about budgets, equal calls, outages and slow calls.

    .venv/bin/python benchmarks/llm_behaviour.py [--rounds 3] [--quick] [--only PROBE ...]

The simulated provider counts; clients are asked only for what they booked.

- budget: 200 calls at once against a budget for 20. Paid are the calls that the provider answered.
- cost: plain and streamed calls with prompts that share beginnings, reasoning and 5 % errors; what
  was booked against the provider's own count of tokens at the same prices.
- equal: 100 identical calls at once, plain, streamed and mixed; then in two processes with Redis.
- down: 20 calls at a provider that answers 503, then 200 more, 10 at a time: attempts per call.
- recovery: a job at full rate, 4 s of outage; 2 s after its end one second is counted, which is
  judged by what the limit admits.
- slow: 5 % of the calls take 2 s instead of 0.1 s; the 99th percentile with hedging against the
  same without, and the calls that hedging adds. Each round begins with a client that knows nothing.

Ends with 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from _llm_processes import client
from _redis import private_redis
from _rivals import versions
from _shared import circumstances, say, table

from perfwright.llm.testing import SimulatedProvider

PRICES = {"prompt": 2.0, "cached": 0.5, "completion": 8.0}
"""USD per million tokens."""
TOKENS = 16
PAID_BAR, CALLS, ALLOWED = 20, 200, 20
BOOKED_BAR = 0.001
EQUAL_BAR, EQUAL_TWO_BAR, EQUAL = 1, 2, 100
DOWN_BAR = 0.2
RECOVERED_BAR, RATE, BURST = 0.95, 100.0, 20
SLOW_BAR, EXTRA_BAR, SLOW_CALLS = 0.5, 0.07, 1000


@dataclass(slots=True)
class Report:
    """What a probe found: rows to show, and bars to judge."""

    header: tuple[str, ...]
    rows: list[tuple[object, ...]] = field(default_factory=list)
    bars: list[tuple[str, str, bool]] = field(default_factory=list)


def prompt_of(number: int) -> str:
    """All of the same length, so that a budget for 20 of them is well defined."""
    return f"Question number {number:05d}"


def usd(tokens: dict[str, int]) -> float:
    cached = tokens["cached_tokens"]
    paid = (tokens["prompt_tokens"] - cached) * PRICES["prompt"]
    return (
        paid + cached * PRICES["cached"] + tokens["completion_tokens"] * PRICES["completion"]
    ) / 1e6


# --- Bar 3: money ---------------------------------------------------------------------------------


def budget(rounds: int) -> Report:
    report = Report(("client", "budget", "paid", "how the calls ended"))
    texts = [prompt_of(number) for number in range(CALLS)]
    with SimulatedProvider(latency_s=0.05, completion_tokens=TOKENS) as provider:
        one = usd(
            {
                "prompt_tokens": -(-len(f"user: {texts[0]}") // 4),
                "cached_tokens": 0,
                "completion_tokens": TOKENS,
            }
        )
        most = one * ALLOWED
        bound = {"max_tokens": TOKENS}
        entries: tuple[tuple[str, str, str, dict[str, Any], dict[str, Any]], ...] = (
            ("perfwright", "USD", "perfwright", {"prices": PRICES, "budget": {"usd": most}}, bound),
            (
                "perfwright",
                "USD, no max_tokens",
                "perfwright",
                {"prices": PRICES, "budget": {"usd": most}},
                {},
            ),
            ("perfwright", "calls", "perfwright", {"budget": {"calls": ALLOWED}}, {}),
            (
                "litellm.acompletion",
                "USD",
                "litellm",
                {"prices": PRICES, "budget_usd": most, "retries": 0},
                bound,
            ),
            (
                "litellm Router",
                "USD",
                "router",
                {"prices": PRICES, "budget_usd": most, "retries": 0},
                bound,
            ),
        )
        for title, kind, name, options, params in entries:
            paid, ends = [], {}
            for number in range(rounds if name == "perfwright" else 1):
                say(f"budget: {title}, {kind}, round {number + 1}")
                provider.reset_counts()
                with client(name, provider.base_url, **options) as asked:
                    ends = asked.do("ask_all", texts=texts, params=params)["ends"]
                paid.append(provider.counts()["answered"])
            report.rows.append((title, f"{ALLOWED} calls' worth in {kind}", _range(paid), ends))
            if name == "perfwright":
                enough = 0 < max(paid) <= PAID_BAR
                report.bars.append(
                    (f"budget in {kind}: at most {PAID_BAR} paid", _range(paid), enough)
                )
    return report


def cost(rounds: int) -> Report:
    report = Report(("traffic", "booked USD", "provider's USD", "apart"))
    shared = "A rule that all of them begin with. " * 200
    for title, behaviour in (
        ("plain and streamed", {}),
        ("with 5 % errors", {"error_ratio": 0.05}),
        ("with reasoning", {"reasoning_tokens": 40}),
    ):
        apart = 0.0
        booked = provided = 0.0
        for number in range(rounds):
            say(f"cost: {title}, round {number + 1}")
            with (
                SimulatedProvider(
                    latency_s=0.01,
                    completion_tokens=5,
                    completion_tokens_max=60,
                    seed=number,
                    **behaviour,
                ) as provider,
                client("perfwright", provider.base_url, prices=PRICES) as asked,
            ):
                texts = [shared * (index % 2) + prompt_of(index) for index in range(300)]
                asked.do("ask_all", texts=texts, streamed=0.5, in_flight=16)
                booked = asked.do("stats")["stats"]["cost_usd"]
                provided = usd(provider.counts())
            apart = max(apart, abs(booked - provided) / provided)
        report.rows.append((title, f"{booked:.6f}", f"{provided:.6f}", f"{apart:.4%}"))
        report.bars.append(
            (f"cost {title}: within {BOOKED_BAR:.1%}", f"{apart:.4%}", apart <= BOOKED_BAR)
        )
    return report


# --- Bar 4: equal calls ---------------------------------------------------------------------------

_KINDS = (("plain", 0.0), ("streamed", 1.0), ("mixed", 0.5))
_CACHED = (
    ("perfwright", "perfwright", {"cache": True}),
    ("openai (has no cache)", "openai", {}),
    ("langchain, InMemoryCache", "langchain", {"cache": True}),
    ("litellm.acompletion, local cache", "litellm", {"cache": True}),
    ("litellm Router, cache_responses", "router", {"cache": True}),
)


def equal(rounds: int) -> Report:
    report = Report(("client", *(kind for kind, _ in _KINDS), "two processes, Redis"))
    for title, name, options in _CACHED:
        own = name == "perfwright"
        cells = []
        for kind, streamed in _KINDS:
            say(f"equal: {title}, {kind}")
            found = [_equal(name, options, streamed) for _ in range(rounds if own else 1)]
            cells.append(_range(found))
            if own:
                enough = max(found) <= EQUAL_BAR
                report.bars.append(
                    (f"{EQUAL} equal calls, {kind}: {EQUAL_BAR} made", _range(found), enough)
                )
        two = (
            [_equal_in_two(streamed) for _, streamed in _KINDS for _ in range(rounds)]
            if own
            else []
        )
        if own:
            enough = max(two) <= EQUAL_TWO_BAR
            report.bars.append((f"in two processes: at most {EQUAL_TWO_BAR}", _range(two), enough))
        report.rows.append((title, *cells, _range(two) if two else "-"))
    return report


def _equal(name: str, options: dict[str, Any], streamed: float) -> int:
    """Return the calls that the provider saw."""
    with (
        SimulatedProvider(latency_s=0.2) as provider,
        client(name, provider.base_url, **options) as asked,
    ):
        found = asked.do("ask_all", texts=["the same"] * EQUAL, streamed=streamed)
        if found["ends"] != {"answered": EQUAL} or found["answers"] != 1:
            raise RuntimeError(f"{name}: {EQUAL} equal calls ended as {found}")
        return int(provider.counts()["attempts"])


def _equal_in_two(streamed: float) -> int:
    with (
        private_redis() as server,
        SimulatedProvider(latency_s=0.2) as provider,
        client("perfwright", provider.base_url, cache=True, redis_port=server.port) as one,
        client("perfwright", provider.base_url, cache=True, redis_port=server.port) as other,
    ):
        for asked in (one, other):
            asked.start("ask_all", texts=["the same"] * EQUAL, streamed=streamed)
        found = [asked.result() for asked in (one, other)]
        if any(one_found["ends"] != {"answered": EQUAL} for one_found in found):
            raise RuntimeError(f"equal calls in two processes ended as {found}")
        return int(provider.counts()["attempts"])


# --- Bar 5: outages and slow calls ----------------------------------------------------------------


def down(rounds: int) -> Report:
    report = Report(
        ("client", "first 20: attempts per call", "200 more", "how those ended", "seconds")
    )
    for title, name, options in (
        ("perfwright", "perfwright", {"timeout_s": 5.0}),
        ("openai", "openai", {}),
        ("langchain", "langchain", {}),
        ("litellm.acompletion", "litellm", {}),
        ("litellm Router", "router", {}),
    ):
        first, later, seconds, ends = [], [], [], {}
        for number in range(rounds if name == "perfwright" else 1):
            say(f"down: {title}, round {number + 1}")
            with (
                SimulatedProvider(down=True, outage="status") as provider,
                client(name, provider.base_url, **options) as asked,
            ):
                texts = [prompt_of(index) for index in range(220)]
                asked.do("ask_all", texts=texts[:20], in_flight=10)
                first.append(provider.reset_counts()["attempts"] / 20)
                found = asked.do("ask_all", texts=texts[20:], in_flight=10, patience_s=300.0)
                later.append(provider.counts()["attempts"] / 200)
                seconds.append(found["seconds"])
                ends = found["ends"]
        report.rows.append((title, _range(first), _range(later), ends, _range(seconds)))
        if name == "perfwright":
            enough = max(later) <= DOWN_BAR
            report.bars.append(
                (f"down: at most {DOWN_BAR} attempts per call", _range(later), enough)
            )
    return report


def recovery(rounds: int) -> Report:
    report = Report(("outage", "answered in the third second", "of the limit"))
    limits = {"requests_per_s": RATE, "burst": BURST}
    for outage in ("refuse", "status"):
        served = []
        for number in range(rounds):
            say(f"recovery: outage as {outage}, round {number + 1}")
            texts = [prompt_of(index) for index in range(700)]
            with (
                SimulatedProvider(latency_s=0.1, **limits) as provider,
                client("perfwright", provider.base_url, **limits) as asked,
            ):
                asked.start("bulk", texts=texts, limit_s=60.0)
                time.sleep(2.0)
                provider.set(down=True, outage=outage)
                time.sleep(4.0)
                provider.set(down=False)
                time.sleep(2.0)
                provider.reset_counts()
                time.sleep(1.0)
                served.append(provider.counts()["answered"] / RATE)
                lost = len(texts) - len(asked.result()["firsts"])
                if lost:
                    raise RuntimeError(f"outage as {outage}: {lost} prompts were lost")
        report.rows.append((outage, _range([share * RATE for share in served]), _range(served)))
        title = f"recovery from {outage}: {RECOVERED_BAR} of the rate after 2 s"
        report.bars.append((title, _range(served), min(served) >= RECOVERED_BAR))
    return report


def slow(rounds: int) -> Report:
    report = Report(("hedging", "p50 ms", "p99 ms", "extra calls", "p99 of no hedging"))
    found: dict[bool, list[tuple[float, float, float]]] = {False: [], True: []}
    for number in range(rounds):
        for hedge in (False, True):
            say(f"slow: hedging {hedge}, round {number + 1}")
            found[hedge].append(_slow(hedge, seed=number))
    bases = [p99 for _, p99, _ in found[False]]
    ratios: list[float] = []
    extras: list[float] = []
    for hedge, several in found.items():
        ratios = [p99 / base for (_, p99, _), base in zip(several, bases, strict=True)]
        extras = [extra for _, _, extra in several]
        medians = [p50 * 1e3 for p50, _, _ in several]
        tails = [p99 * 1e3 for _, p99, _ in several]
        shown = (
            _range(medians, ".0f"),
            _range(tails, ".0f"),
            _range(extras, ".3f"),
            _range(ratios),
        )
        report.rows.append(("on" if hedge else "off", *shown))
    ratio, extra = statistics.median(ratios), max(extras)
    report.bars.append(
        (f"slow: p99 at most {SLOW_BAR} of no hedging", f"{ratio:.2f}", ratio <= SLOW_BAR)
    )
    report.bars.append(
        (f"slow: at most {EXTRA_BAR:.0%} extra calls", f"{extra:.1%}", extra <= EXTRA_BAR)
    )
    return report


def _slow(hedge: bool, *, seed: int) -> tuple[float, float, float]:
    """Return median and 99th percentile in seconds, and the share of calls beyond those asked."""
    with (
        SimulatedProvider(
            latency_s=0.1, slow_ratio=0.05, slow_latency_s=2.0, seed=seed
        ) as provider,
        client("perfwright", provider.base_url, hedge=hedge) as asked,
    ):
        done = asked.do("calls", count=SLOW_CALLS, in_flight=20, prefix="slow")
        attempts = provider.counts()["attempts"]
    percentiles = statistics.quantiles(done["took_s"], n=100, method="inclusive")
    return percentiles[49], percentiles[98], attempts / SLOW_CALLS - 1.0


def _range(values: Sequence[float], form: str = "") -> str:
    if not form:
        form = "d" if all(isinstance(value, int) for value in values) else ".2f"
    low, high = min(values), max(values)
    return f"{low:{form}}" if low == high else f"{low:{form}}-{high:{form}}"


PROBES: dict[str, Callable[[int], Report]] = {
    "budget": budget,
    "cost": cost,
    "equal": equal,
    "down": down,
    "recovery": recovery,
    "slow": slow,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="of ours; rivals have one")
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--only", action="append", choices=tuple(PROBES), help="repeatable")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    print(circumstances("aiohttp", "perfwright"))
    print(versions("openai", "openai", "langchain-openai") + ", " + versions("litellm", "litellm"))
    judged = []
    for name in options.only or PROBES:
        report = PROBES[name](rounds)
        print(
            f"\n## {name} ({rounds} rounds: least to most)\n\n{table(report.header, report.rows)}"
        )
        judged += report.bars
    verdicts = [(bar, value, "PASS" if enough else "FAIL") for bar, value, enough in judged]
    print("\n" + table(("bar", "found", ""), verdicts))
    return 0 if all(enough for _, _, enough in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
