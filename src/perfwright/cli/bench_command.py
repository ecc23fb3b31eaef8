"""`perfwright bench`: the LLM runtime's headline claims, measured here and now."""

from __future__ import annotations

import asyncio
import os
import platform
import random
from collections.abc import Sequence
from importlib.metadata import version
from statistics import median
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from perfwright._version import __version__
from perfwright.cli.console import MET, MISSED, messages, output, print_json
from perfwright.cli.options import json_option, seed_option

if TYPE_CHECKING:
    from perfwright.llm.benching import Benched, BenchPlan, Measured


@click.command("bench")
@click.option("--quick", is_flag=True, help="Fewer rounds: a third of the time, wider spread.")
@click.option(
    "--redis", "redis_url", metavar="URL", help="Second tier of the cache.  [default: a file]"
)
@seed_option
@json_option
def command(*, quick: bool, redis_url: str | None, seed: int, as_json: bool) -> int:
    """Measure the LLM runtime against a simulated provider.

    Starts a provider of its own on this machine, and compares calls that are made one after the
    other without a cache with batched and cached ones, in turns; then the memory of a long run.
    Nothing leaves this machine. Takes about a minute and a half.

    Exit code 1 when a claim is missed.

    \b
    perfwright bench
    perfwright bench --quick --json
    perfwright bench --redis redis://127.0.0.1:6379/0
    """  # noqa: D301 - click looks for the character, which a raw string has not
    from perfwright.llm.benching import FULL, QUICK, run_bench

    plan = QUICK if quick else FULL
    with messages().status("Starting") as status:
        benched = asyncio.run(
            run_bench(plan, redis_url=redis_url, on_step=status.update, rng=random.Random(seed))
        )
    if as_json:
        print_json(_document(plan, benched))
    else:
        _show(plan, benched)
    return MET if all(each.is_met for each in benched.measured) else MISSED


def _document(plan: BenchPlan, benched: Benched) -> dict[str, Any]:
    return {
        "schema": "perfwright/bench/1",
        "version": __version__,
        "machine": _machine(),
        "plan": {name: getattr(plan, name) for name in plan.__slots__},
        "second_tier": benched.second_tier,
        "claims": [each.describe() for each in benched.measured],
        "repeating_workload": [
            {name: getattr(each, name) for name in each.__slots__} for each in benched.repetitions
        ],
    }


def _show(plan: BenchPlan, benched: Benched) -> None:
    console = output()
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("", no_wrap=True)
    for title in ("without", "with", "effect", "range (rounds)", "claimed"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for each in benched.measured:
        table.add_row(*_cells(each))
    console.print(table)
    console.print(_split_line(benched))
    console.print(
        f"Medians of all rounds. Simulated provider of {1e3 * plan.latency_s:.0f} ms in "
        f"the median; the repeating workload is {plan.calls:,} calls of {plan.different_prompts} "
        f"prompts, the long run {plan.memory_calls:,} calls."
    )
    for each in benched.measured:
        console.print(f"  {each.claim.title}: {each.claim.how}.", style="dim")
    console.print("  ".join(f"{name} {value}" for name, value in _machine().items()), style="dim")


def _cells(each: Measured) -> Sequence[str]:
    claim = each.claim
    mark = "[green]met[/green]" if each.is_met else "[red]missed[/red]"
    low, high = (f"{bound:,.1f}" for bound in (min(each.effects), max(each.effects)))
    return (
        claim.title,
        _quantity(each.before),
        f"{_quantity(each.after)} {claim.unit}",
        f"{each.effect:,.1f} {claim.effect_unit}",
        f"{low} to {high} ({len(each.effects)})",
        f"{claim.at_least:g} {claim.effect_unit}",
        f"{mark}, noisy" if each.is_noisy else mark,
    )


def _quantity(values: Sequence[float]) -> str:
    if not values:
        return "-"
    middle = median(values)
    return f"{middle:,.0f}" if middle >= 100 else f"{middle:.3g}"


def _split_line(benched: Benched) -> str:
    memory = median(each.memory_ratio for each in benched.repetitions)
    second = median(each.second_tier_ratio for each in benched.repetitions)
    return (
        f"Hits by tier: {memory:.1%} of the lookups in memory (L1), {second:.1%} in "
        f"{benched.second_tier} (L2)"
    )


def _machine() -> dict[str, str]:
    return {
        "perfwright": __version__,
        "Python": platform.python_version(),
        "aiohttp": version("aiohttp"),
        "processors": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
    }
