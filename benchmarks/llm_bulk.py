"""A bulk job of prompts at a provider with a hard rate limit, transient errors and an outage.

    .venv/bin/python benchmarks/llm_bulk.py [--rounds 3] [--prompts 2000] [--quick] [--only NAME]
        [--rate 100] [--burst 20] [--latency 0.2] [--errors 0.05] [--no-headers]

The provider (`perfwright.llm.testing`, a process of its own) admits 100 requests per second with a
burst of 20, takes 200 ms, and fails 5 % of what it admits, unless told otherwise. The ideal
makespan is that of a client that knows the limits, never draws an error and never wastes a moment:

    ideal = (prompts - burst) / rate + latency

Errors count against the limit, so nobody can reach it: `possible` is the same with the errors that
were drawn in that run. With an outage of 5 s the ideal is longer by 5 s; nothing is served then,
and what the bucket gains meanwhile is its burst at most.

Clients without a scheduler get 64 calls at a time, which is three times what the rate needs. A
client that takes three times the ideal is cut off; what it has not got by then is lost.

Ends with 1 if a bar is missed: 0.90 of the ideal with nothing lost and 429s at most 1 % of the
attempts; with the outage nothing lost and at most 1.1 of the ideal and the outage; 0.80 of the
ideal when the limits are not known at the start.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from _llm_processes import client, misplaced
from _rivals import versions
from _shared import circumstances, say, table

from perfwright.llm.testing import SimulatedProvider

OUTAGE_AT_S, OUTAGE_S = 5.0, 5.0
SEED = 1
CUT_OFF = 3.0
"""Times the ideal, after which a client is stopped."""
KNOWN_BAR, OUTAGE_BAR, UNKNOWN_BAR = 0.90, 1.1, 0.80
REFUSED_BAR = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What the provider is like."""

    prompts: int
    rate: float
    burst: int
    latency_s: float
    errors: float
    headers: bool

    @property
    def ideal_s(self) -> float:
        return self.makespan_s(self.prompts)

    def makespan_s(self, admitted: int) -> float:
        """Of so many calls, if each goes at the first moment that the limit allows."""
        return max(0, admitted - self.burst) / self.rate + self.latency_s


@dataclass(frozen=True, slots=True)
class Entry:
    """A client and how it is set up."""

    title: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)
    knows_limits: bool = False
    outage: str = ""
    """Empty for none, else how the provider behaves then."""

    @property
    def is_ours(self) -> bool:
        return self.name == "perfwright"


ENTRIES = (
    Entry("perfwright", "perfwright", knows_limits=True),
    Entry("perfwright, limits unknown", "perfwright"),
    Entry("perfwright, outage (refused)", "perfwright", knows_limits=True, outage="refuse"),
    Entry("perfwright, outage (status 503)", "perfwright", knows_limits=True, outage="status"),
    Entry("aiohttp, exact pacing, retry queue", "paced", knows_limits=True),
    Entry("aiohttp, exact pacing, outage (refused)", "paced", knows_limits=True, outage="refuse"),
    Entry("openai, 10 retries", "openai", {"retries": 10}),
    Entry("openai, 2 retries (default)", "openai", {"retries": 2}),
    Entry("openai, 10 retries, outage (refused)", "openai", {"retries": 10}, outage="refuse"),
    Entry("langchain abatch, its limiter, 10 retries", "langchain", {"retries": 10}, True),
    Entry("litellm.acompletion, 10 retries", "litellm", {"retries": 10}),
    Entry("litellm Router, rpm, 10 retries", "router", {"retries": 10}, True),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One job as the provider and the client saw it."""

    seconds: float
    cpu_s: float
    lost: int
    wrong: int
    attempts: int
    refused: int
    errors: int
    outage_s: float
    conditions: Conditions

    @property
    def share(self) -> float:
        """Of the ideal speed; what is lost is not done."""
        done = 1.0 - self.lost / self.conditions.prompts
        return done * (self.conditions.ideal_s + self.outage_s) / self.seconds

    @property
    def possible(self) -> float:
        """The share that the errors of this run leave to anybody."""
        with_errors_s = self.conditions.makespan_s(self.conditions.prompts + self.errors)
        return (self.conditions.ideal_s + self.outage_s) / (with_errors_s + self.outage_s)

    @property
    def of_outage_bar(self) -> float:
        """The time that it took as a share of what the bar allows."""
        return self.seconds / (OUTAGE_BAR * self.conditions.ideal_s + self.outage_s)

    @property
    def refused_ratio(self) -> float:
        return self.refused / max(1, self.attempts)


def run(entry: Entry, conditions: Conditions, *, number: int) -> Run:
    texts = [f"Prompt {index} of job {number}" for index in range(conditions.prompts)]
    limit_s = CUT_OFF * (conditions.ideal_s + OUTAGE_S * bool(entry.outage))
    limits = {"requests_per_s": conditions.rate, "burst": conditions.burst}
    outage_s = 0.0
    with (
        SimulatedProvider(
            latency_s=conditions.latency_s,
            error_ratio=conditions.errors,
            rate_headers=conditions.headers,
            seed=SEED + number,
            **limits,
        ) as provider,
        client(
            entry.name, provider.base_url, **entry.options, **(limits if entry.knows_limits else {})
        ) as asked,
    ):
        asked.start("bulk", texts=texts, limit_s=limit_s)
        if entry.outage:
            outage_s = fail(provider, entry.outage)
        done = asked.result(patience_s=limit_s + 60.0)
        counts = provider.counts()
    return Run(
        seconds=done["seconds"],
        cpu_s=done["cpu_s"],
        lost=len(texts) - len(done["firsts"]),
        wrong=misplaced(texts, done["firsts"], seed=SEED + number),
        attempts=counts["attempts"],
        refused=counts["by_status"].get("429", 0),
        errors=counts["faults"].get("error", 0),
        outage_s=outage_s,
        conditions=conditions,
    )


def fail(provider: SimulatedProvider, outage: str) -> float:
    """Take the provider down for some seconds; returns how many it were."""
    deadline = time.monotonic() + 60.0
    while provider.counts()["attempts"] == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(OUTAGE_AT_S)
    provider.set(down=True, outage=outage)
    begun = time.monotonic()
    time.sleep(OUTAGE_S)
    provider.set(down=False)
    return time.monotonic() - begun


def spread(values: Sequence[float], form: str = ".2f") -> str:
    middle = f"{statistics.median(values):{form}}"
    return middle if len(values) == 1 else f"{middle} ({min(values):{form}}-{max(values):{form}})"


def show(runs: Sequence[tuple[Entry, list[Run]]]) -> None:
    header = (
        "client",
        "share of ideal",
        "possible",
        "seconds",
        "lost",
        "429s",
        "attempts",
        "CPU s",
    )
    rows = []
    for entry, found in runs:
        rows.append(
            (
                entry.title,
                spread([one.share for one in found], ".3f"),
                spread([one.possible for one in found], ".3f"),
                spread([one.seconds for one in found], ".1f"),
                max(one.lost for one in found),
                max(one.refused for one in found),
                max(one.attempts for one in found),
                spread([one.cpu_s for one in found], ".1f"),
            )
        )
    print(table(header, rows))


def verdicts(runs: Sequence[tuple[Entry, list[Run]]]) -> list[tuple[str, str, bool]]:
    """Judge ours; each with what was found and whether it is enough. Every round has to pass."""
    found = []
    for entry, several in runs:
        if not entry.is_ours:
            continue
        lost, wrong = max(r.lost for r in several), max(r.wrong for r in several)
        found.append(
            (f"{entry.title}: nothing lost or mixed up", f"{lost}, {wrong}", lost + wrong == 0)
        )
        if entry.outage:
            worst = max(r.of_outage_bar for r in several)
            title = f"{entry.title}: at most {OUTAGE_BAR} x ideal + outage"
            found.append((title, f"{worst:.3f} of it", worst <= 1.0))
            continue
        bar = KNOWN_BAR if entry.knows_limits else UNKNOWN_BAR
        share = statistics.median(r.share for r in several)
        found.append((f"{entry.title}: at least {bar:.2f} of ideal", f"{share:.3f}", share >= bar))
        if entry.knows_limits:
            refused = max(r.refused_ratio for r in several)
            title = f"{entry.title}: 429s at most {REFUSED_BAR:.0%}"
            found.append((title, f"{refused:.2%}", refused <= REFUSED_BAR))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="of ours and of the reference")
    parser.add_argument("--rival-rounds", type=int, default=1)
    parser.add_argument("--prompts", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=100.0, help="requests per second")
    parser.add_argument("--burst", type=int, default=20)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds")
    parser.add_argument("--errors", type=float, default=0.05, help="share of the calls")
    parser.add_argument("--no-headers", action="store_true", help="429s are all there is to learn")
    parser.add_argument("--quick", action="store_true", help="one round of 800 prompts")
    parser.add_argument("--only", default="", help="entries whose title holds this")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.prompts = 1, 800
    chosen = [entry for entry in ENTRIES if options.only in entry.title]
    conditions = Conditions(
        prompts=options.prompts,
        rate=options.rate,
        burst=options.burst,
        latency_s=options.latency,
        errors=options.errors,
        headers=not options.no_headers,
    )
    runs: dict[str, list[Run]] = {entry.title: [] for entry in chosen}
    for number in range(max(options.rounds, options.rival_rounds)):
        for entry in chosen:
            own = entry.name in ("perfwright", "paced")
            if number < (options.rounds if own else options.rival_rounds):
                say(f"round {number + 1}: {entry.title}")
                runs[entry.title].append(run(entry, conditions, number=number))
    print(f"\n{circumstances('aiohttp', 'perfwright')}")
    print(versions("openai", "openai", "langchain-openai") + ", " + versions("litellm", "litellm"))
    print(
        f"{conditions}\nideal makespan {conditions.ideal_s:.1f} s; median (range) of the rounds\n"
    )
    by_entry = [(entry, runs[entry.title]) for entry in chosen]
    show(by_entry)
    judged = verdicts(by_entry)
    print(
        "\n"
        + table(("bar", "found", ""), [(t, f, "PASS" if ok else "FAIL") for t, f, ok in judged])
    )
    return 0 if all(ok for _, _, ok in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
