"""A run as Markdown for a pull request: compact tables, details folded.

Text of others is written as character references where Markdown, HTML or the forge that shows it
would read a sign in it. A backslash would not do: it does not protect a `|` in every table parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from perfwright.core import ExperimentRecord, Outcome
from perfwright.experiments.ledger import RunRecord
from perfwright.report import conditions, wording
from perfwright.report.headline import headline, ranked, tally
from perfwright.report.prepare import prepared
from perfwright.report.sql import is_sql

SUBJECT_WIDTH = 120

_SIGNS = re.compile(
    r"""
    [&<>`*{}\[\]|~\\@#$!^]      # a sign wherever it stands
  | (?<!\w)_ | _(?!\w)           # emphasis; within a name it is none
  | ^[-+=] | (?<=^\d)[.)] | (?<=^\d\d)[.)]  # a list, an underline
  | :(?=//|[\w+-]+:) | (?<=www)\.  # an address, a picture
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAMED = ("&#64;", "&#35;")  # @ and #: forges link names and numbers even where escaped


def run_markdown(run: RunRecord, *, mask_literals: bool = True) -> str:
    """Write a run as GitHub-flavoured Markdown.

    Args:
        mask_literals: Hide the values in quoted statements of the workload.
    """
    run = prepared(run, mask_literals=mask_literals)
    blocks = [*_heading(run), *_experiments(run), *_findings(run), *_goals(run), *_rest(run)]
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """Write text of others so that it shows as it is, on one line."""
    signs = _SIGNS.sub(_reference, wording.plain(text))
    for reference in _NAMED:
        signs = signs.replace(reference, f"{reference}&#8203;")
    return signs


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"


def code(text: str) -> str:
    """Write text of others as inline code."""
    text = wording.plain(text)
    if text and not set(text) & set("`|\\"):
        return f"`{text}`"
    return f"<code>{escaped(text)}</code>"


def fenced(lines: Iterable[str], *, language: str = "") -> str:
    """Write lines as a code block whose fence no line can close."""
    text = "\n".join(wording.plain_lines(line) for line in lines)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _table(header: str, rows: Iterable[Iterable[str]]) -> str:
    columns = header.split("|")
    rule = "|".join("--:" if name.endswith(">") else "---" for name in columns)
    lines = [f"| {' | '.join(name.removesuffix('>') for name in columns)} |", f"|{rule}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _folded(summary: str, blocks: Iterable[str]) -> str:
    body = "\n\n".join(blocks)
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def _heading(run: RunRecord) -> Iterator[str]:
    found = headline(run)
    yield f"## perfwright {escaped(run.command)}: {escaped(found.claim)}"
    yield f"{escaped(found.detail)} Target {code(run.target)}, run {code(run.id)}."


def _experiments(run: RunRecord) -> Iterator[str]:
    if not run.experiments:
        return
    rows = ((*_row(record),) for record in run.experiments)
    yield f"### {escaped(tally(run.experiments))}"
    yield _table("|verdict|change|predicted>|measured>|interval>|pairs>", rows)
    for record in run.experiments:
        summary = wording.shorten(wording.plain(record.proposal.change.summary), SUBJECT_WIDTH)
        yield _folded(
            f"{escaped(record.id)}: {escaped(summary)}, {record.verdict.outcome.value}",
            _details(record),
        )


def _row(record: ExperimentRecord) -> Iterator[str]:
    outcome, measured = record.verdict.outcome, record.measured
    summary = wording.shorten(wording.plain(record.proposal.change.summary), SUBJECT_WIDTH)
    yield escaped(record.id)
    yield f"**{outcome.value}**" if outcome is Outcome.KEPT else outcome.value
    yield escaped(summary)
    yield wording.change(record.proposal.predicted.ratio)
    yield f"**{wording.change(measured.ratio)}**" if measured else "not measured"
    yield wording.interval(measured) if measured else ""
    yield f"{measured.pairs}" if measured else ""


def _details(record: ExperimentRecord) -> Iterator[str]:
    proposal, verdict = record.proposal, record.verdict
    yield f"{verdict.outcome.value.capitalize()}: {escaped(verdict.reason)}."
    basis, because = escaped(proposal.predicted.basis), ", ".join(map(code, proposal.because))
    yield (
        f"Remedy {code(proposal.remedy)} for {because or 'nothing'}; "
        f"risk {proposal.risk.value}; predicted {wording.change(proposal.predicted.ratio)}"
        + (f" because {basis}." if basis else ".")
    )
    language = "sql" if is_sql(proposal.change.kind) else ""
    yield fenced(proposal.change.apply, language=language)
    yield "Undo:"
    yield fenced(proposal.change.revert, language=language)
    if record.guardrails:
        states = {True: "held", False: "**broken**", None: "not shown"}
        rows = (
            (code(one.name), states[one.passed], escaped(one.detail)) for one in record.guardrails
        )
        yield _table("guardrail|state|detail", rows)
    if record.witnesses:
        counters = (
            (code(name), f"{before:,.0f}", f"{after:,.0f}")
            for name, (before, after) in record.witnesses.items()
        )
        yield _table("counter|before>|after>", counters)


def _findings(run: RunRecord) -> Iterator[str]:
    if not run.findings:
        return
    rows = (
        (
            escaped(found.id),
            wording.amount(found.finding.cost, found.finding.unit),
            code(wording.shorten(wording.plain(found.finding.subject), SUBJECT_WIDTH)),
            f"{code(found.detector)}: {escaped(found.finding.evidence)}",
        )
        for found in ranked(run.findings)
    )
    count = wording.counted(len(run.findings), "finding")
    yield _folded(f"{count}, costliest first", [_table("|cost>|subject|evidence", rows)])


def _goals(run: RunRecord) -> Iterator[str]:
    if run.goals:
        states = {True: "met", False: "**not met**", None: "not measured"}
        rows = (
            (
                code(goal.goal),
                states[goal.met],
                " ".join([conditions.goal_values(goal), escaped(goal.note)]).strip(),
            )
            for goal in run.goals
        )
        yield _table("goal|state|before and after", rows)


def _rest(run: RunRecord) -> Iterator[str]:
    for heading, lines in (
        ("Notes", list(run.notes)),
        (
            "Failed, while the run went on",
            [f"{f.agent}, {f.step}: {f.error}" for f in run.failures],
        ),
        ("Conditions", list(conditions.lines(run))),
    ):
        if lines:
            items = "\n".join(f"- {escaped(line)}" for line in lines)
            yield _folded(heading, [items])
