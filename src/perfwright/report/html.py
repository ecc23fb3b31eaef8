"""A run as one HTML file: no script, no network, light and dark, and it prints."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from perfwright.core import ConfigError, ExperimentRecord, IdentifiedFinding, Measurement
from perfwright.experiments import Design
from perfwright.experiments.ledger import RunRecord
from perfwright.report import conditions, samples, wording
from perfwright.report.headline import bottlenecks, headline, tally
from perfwright.report.intervals import Row, forest, intervals, typographic
from perfwright.report.prepare import prepared

_SUBJECT_WIDTH = 900
"""Longer statements lose their middle; thirty of them must not make a page heavy."""


_SHOWN = 12
"""Bottlenecks in view; the rest is folded away."""


def run_html(run: RunRecord, *, mask_literals: bool = True) -> str:
    """Write a run as one self-contained page.

    Args:
        mask_literals: Hide the values in quoted statements of the workload.
    """
    run = prepared(run, mask_literals=mask_literals)
    plan = _plan(run)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            run=run,
            headline=headline(run),
            overall_bars=_bars(run.overall) if run.overall else (),
            tally=tally(run.experiments),
            bottlenecks=bottlenecks(run.findings),
            shown=_SHOWN,
            shares=_shares(run.findings),
            answered={one.id: _because(run, one) for one in run.experiments},
            forest=_overview(run, plan),
            load=conditions.load(run.experiments),
            version=conditions.version(run),
            design=plan,
            effects=lambda record: _effects(record, plan),
            samples=samples.sample_plot,
            looks=lambda record: _looks(record, plan),
        )
    )


def anchor(identifier: str) -> str:
    """An identifier that is safe in an `id` and in a link to it."""
    return "".join(char if char.isalnum() and char.isascii() else "-" for char in identifier)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("perfwright.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "anchor": anchor,
        "change": lambda ratio: typographic(wording.change(ratio)),
        "interval": lambda measured: typographic(wording.interval(measured)),
        "pairs": lambda measured: typographic(wording.pairs(measured)),
        "percent": lambda share: typographic(wording.percent(share)),
        "amount": lambda value, unit: wording.amount(value, unit).replace(
            " ", "\N{NO-BREAK SPACE}"
        ),
        "plain": lambda text: typographic(wording.plain(text)),
        "lines": wording.plain_lines,
        "subject": lambda text: wording.shorten(
            wording.plain_lines(text), _SUBJECT_WIDTH, mark=" \N{HORIZONTAL ELLIPSIS} "
        ),
        "fact": conditions.fact,
        "goal_values": lambda goal: conditions.goal_values(goal).replace(
            "->", "\N{RIGHTWARDS ARROW}"
        ),
        "counter": lambda value: f"{value:,.0f}" if value == int(value) else f"{value:,.2f}",
        "spending": wording.spending,
    }
    return environment


def _bars(measured: Measurement) -> tuple[tuple[str, str, str, float], ...]:
    """Name, class, value and length (0 to 100) of the bars before and after."""
    longest = max(measured.baseline, measured.treatment) or 1.0
    unit = wording.unit_of(measured)
    return tuple(
        (name, kind, wording.amount(value, unit), 100.0 * value / longest)
        for name, kind, value in (
            ("before", "a", measured.baseline),
            ("after", "b", measured.treatment),
        )
    )


def _shares(findings: tuple[IdentifiedFinding, ...]) -> dict[str, float]:
    """Length of each finding's bar, 0 to 100: its part of the costliest one of the same unit."""
    largest: dict[str, float] = {}
    for one in findings:
        largest[one.finding.unit] = max(largest.get(one.finding.unit, 0.0), one.finding.cost)
    return {
        one.id: 100.0 * max(one.finding.cost, 0.0) / (largest[one.finding.unit] or 1.0)
        for one in findings
    }


def _because(run: RunRecord, record: ExperimentRecord) -> list[IdentifiedFinding]:
    return [found for found in run.findings if found.id in record.proposal.because]


def _overview(run: RunRecord, plan: Design) -> Markup:
    rows = [
        Row(
            label=f"{record.id}  {record.proposal.change.summary}",
            kind=record.verdict.outcome.value,
            measured=record.measured,
            predicted=record.proposal.predicted.ratio,
            noise_floor=record.machine.noise_floor if record.machine else None,
            link=f"#{anchor(record.id)}",
            absent=f"{record.verdict.outcome.value}, not measured",
        )
        for record in run.experiments
    ]
    return forest(rows, title="Effect of every change tried", min_effect=plan.min_effect)


def _plan(run: RunRecord) -> Design:
    """The plan that the experiments followed."""
    for record in run.experiments:
        if record.max_pairs:
            return Design(max_pairs=record.max_pairs, min_effect=record.min_effect)
    return Design()


def _effects(record: ExperimentRecord, plan: Design) -> Markup:
    rows = [
        Row(
            label=record.measured.metric if record.measured else "",
            kind=record.verdict.outcome.value,
            measured=record.measured,
            predicted=record.proposal.predicted.ratio,
            noise_floor=record.machine.noise_floor if record.machine else None,
        ),
        *(
            Row(label=f"guardrail {guard.name}", kind="guard", measured=guard.measured)
            for guard in record.guardrails
            if guard.measured is not None
        ),
    ]
    return intervals(
        rows,
        title=f"Effect of {record.id}",
        min_effect=plan.min_effect,
    )


def _looks(record: ExperimentRecord, plan: Design) -> str:
    """When one experiment was to be looked at, as `22, 40 and 100`; empty if it never was."""
    try:
        design = Design(alpha=record.alpha, max_pairs=plan.max_pairs, min_effect=plan.min_effect)
    except ConfigError:
        return ""
    counts = [str(2 * look.blocks) for look in design.looks()]
    return " and ".join(filter(None, [", ".join(counts[:-1]), counts[-1]]))
