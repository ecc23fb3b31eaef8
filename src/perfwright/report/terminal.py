"""A run as rich renderables: legible at 80 columns, without colour, and in plain text.

Own words are ASCII, and colour only repeats what a word says.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfwright.core import ExperimentRecord, Guardrail, Outcome
from perfwright.experiments.ledger import GoalResult, RunRecord
from perfwright.report import conditions, wording
from perfwright.report.headline import Bottleneck, bottlenecks, headline, tally
from perfwright.report.prepare import prepared

SUBJECT_WIDTH = 110
SHOWN = 6
"""Bottlenecks on the screen; the page and the JSON have all."""

EVIDENCE_SHOWN = 2
"""Findings about each of them on the screen."""

"""Two lines of the widest column at 80 columns."""

COLOURS = {
    Outcome.KEPT: "bold green",
    Outcome.REJECTED: "red",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.FAILED: "bold magenta",
}
_TONES = {"good": "bold green", "bad": "bold red", "neutral": "bold"}


def run_view(run: RunRecord, *, mask_literals: bool = True) -> RenderableType:
    """Show a run, most important first.

    Args:
        mask_literals: Hide the values in quoted statements of the workload.
    """
    run = prepared(run, mask_literals=mask_literals)
    parts: list[RenderableType] = [_heading(run)]
    if run.findings:
        parts += [title("What is slow, costliest first"), *_findings(run)]
    if run.experiments:
        parts += [title(tally(run.experiments)), _experiments(run)]
    if run.goals:
        parts += [title("Goals"), *(indented(_goal(goal)) for goal in run.goals)]
    if run.failures:
        parts += [title("Failed, while the run went on"), *_failures(run)]
    if run.notes:
        parts += [title("Notes"), *(indented(f"- {wording.plain(note)}") for note in run.notes)]
    parts += [title("Conditions"), *(indented(line) for line in conditions.lines(run))]
    return Group(*parts)


def title(words: str) -> RenderableType:
    """A heading with a line of space above."""
    return Padding(Text(words, style="bold"), (1, 0, 0, 0))


def indented(content: RenderableType) -> RenderableType:
    """A paragraph under a heading; a string is taken as it is, never as markup."""
    return Padding(Text(content) if isinstance(content, str) else content, (0, 0, 0, 2))


def _heading(run: RunRecord) -> RenderableType:
    found = headline(run)
    subtitle = f"perfwright {run.command} | {run.target} | run {run.id}"
    return Group(
        Text(wording.plain(subtitle), style="dim"),
        Text(found.claim, style=_TONES[found.tone]),
        Text(found.detail),
    )


def _table(*columns: tuple[str, bool]) -> Table:
    """A table without rules between rows; columns that are not flexible never wrap."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
    for name, flexible in columns:
        numeric = name in {"cost", "predicted", "measured"}
        table.add_column(
            name,
            justify="right" if numeric else "left",
            no_wrap=not flexible,
            overflow="fold",
            ratio=1 if flexible else None,
        )
    table.expand = True
    return table


def _findings(run: RunRecord) -> Iterator[RenderableType]:
    """The costliest bottlenecks, each with all that was found about it, and how many are left."""
    table = _table(("cost", False), ("what is slow, and how that shows", True))
    found = bottlenecks(run.findings)
    for bottleneck in found[:SHOWN]:
        subject = wording.shorten(wording.plain(bottleneck.subject), SUBJECT_WIDTH)
        cost = wording.amount(bottleneck.cost, bottleneck.unit)
        table.add_row(cost, Group(Text(subject), *_evidence(bottleneck)))
    yield table
    if len(found) > SHOWN:
        rest = wording.counted(len(found) - SHOWN, "cheaper one")
        yield indented(f"... and {rest}: perfwright report {run.id} --html FILE, or --json")


def _evidence(bottleneck: Bottleneck) -> Iterator[Text]:
    """What shows that it is slow: the first few findings, without repeats."""
    lines = list(
        dict.fromkeys(
            f"{one.detector}: {wording.plain(one.finding.evidence)}" for one in bottleneck.findings
        )
    )
    for line in lines[:EVIDENCE_SHOWN]:
        yield Text(line, style="dim")
    if len(lines) > EVIDENCE_SHOWN:
        yield Text(f"... and {len(lines) - EVIDENCE_SHOWN} more", style="dim")


def _experiments(run: RunRecord) -> Table:
    table = _table(("verdict", False), ("change", True), ("predicted", False), ("measured", False))
    table.caption = "predicted and measured: time of what the change affects"
    table.caption_justify = "left"
    for record in run.experiments:
        outcome = record.verdict.outcome
        table.add_row(
            Group(
                Text(outcome.value, style=COLOURS[outcome]),
                Text(wording.plain(record.id), style="dim"),
            ),
            Group(*_told(record)),
            wording.change(record.proposal.predicted.ratio),
            _measured(record),
        )
    return table


def _told(record: ExperimentRecord) -> Iterator[Text]:
    summary = wording.plain(record.proposal.change.summary)
    yield Text(wording.shorten(summary, SUBJECT_WIDTH))
    yield Text(wording.plain(record.verdict.reason), style="dim")
    held = ", ".join(wording.plain(guard.name) for guard in record.guardrails if guard.passed)
    if held:
        yield Text(f"guardrails held: {held}", style="dim")
    for guard in record.guardrails:
        if not guard.passed and guard.detail not in record.verdict.reason:
            yield Text(guardrail_line(guard), style="yellow")


def guardrail_line(guard: Guardrail) -> str:
    """One guardrail with its state in a word."""
    state = {True: "held", False: "BROKEN", None: "not shown to hold"}[guard.passed]
    return f"guardrail {wording.plain(guard.name)} {state}: {wording.plain(guard.detail)}"


def _measured(record: ExperimentRecord) -> RenderableType:
    measured = record.measured
    if measured is None:
        return Text("not measured", style="dim")
    return Group(
        Text(wording.change(measured.ratio), style="bold", justify="right"),
        Text(wording.interval(measured), style="dim", justify="right"),
        Text(f"{measured.pairs} pairs", style="dim", justify="right"),
    )


def _goal(goal: GoalResult) -> Text:
    state, style = {
        True: ("met", "green"),
        False: ("not met", "red"),
        None: ("not measured", "yellow"),
    }[goal.met]
    return Text.assemble(
        (f"{state}: ", style),
        wording.plain(goal.goal),
        f"  {conditions.goal_values(goal)}",
        f"  {wording.plain(goal.note)}" if goal.note else "",
    )


def _failures(run: RunRecord) -> Iterator[RenderableType]:
    for failure in run.failures:
        line = wording.plain(f"{failure.agent}, {failure.step}: {failure.error}")
        yield indented(Text(line, style="magenta"))
