"""The SQL of kept changes, ready to be run by hand, and the SQL that takes them back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perfwright.core import ExperimentRecord, Outcome
from perfwright.experiments.ledger import RunRecord
from perfwright.report import wording
from perfwright.report.prepare import prepared

_DIALECTS = frozenset({"sqlite", "postgres", "postgresql", "mariadb", "mysql", "sql"})


def kept_sql(run: RunRecord) -> str:
    """Write the statements of every kept change, in the order in which they were proven.

    Above each stands what was measured. Changes that are not SQL are named in a comment.
    """
    return _script(run, undo=False)


def undo_sql(run: RunRecord) -> str:
    """Write the statements that take every kept change back, the last one first."""
    return _script(run, undo=True)


def is_sql(kind: str) -> bool:
    """Whether the statements of a change of this kind are SQL."""
    return kind.partition("-")[0] in _DIALECTS


def terminated(statement: str) -> str:
    """End a statement with a semicolon that no comment in its last line swallows."""
    text = statement.strip()
    if "--" in text.rpartition("\n")[2]:
        return f"{text}\n;"
    return text if text.endswith(";") else f"{text};"


def _script(run: RunRecord, *, undo: bool) -> str:
    run = prepared(run)
    kept = [one for one in run.experiments if one.verdict.outcome is Outcome.KEPT]
    title = "Takes back what" if undo else "Changes that"
    lines = [f"-- {title} perfwright run {_name(run.id)} proved on {_name(run.target)}"]
    if not kept:
        lines.append("-- Nothing was kept.")
    for record in reversed(kept) if undo else kept:
        spec = record.proposal.change
        lines += ["", *_header(record)]
        lines += _body(spec.kind, spec.revert if undo else spec.apply)
    return "\n".join(lines) + "\n"


def _header(record: ExperimentRecord) -> Iterator[str]:
    yield f"-- {_name(record.id)}: {_name(record.proposal.change.summary)}"
    measured = record.measured
    if measured is None:
        yield f"-- not timed: {_name(record.verdict.reason)}"
    else:
        yield (
            f"-- {_name(measured.metric)} {wording.change(measured.ratio)} "
            f"({wording.interval(measured)}; {wording.pairs(measured)})"
        )
    for guard in record.guardrails:
        yield f"-- guardrail {_name(guard.name)}: {_name(guard.detail)}"


def _body(kind: str, statements: Sequence[str]) -> Iterator[str]:
    if is_sql(kind):
        yield from map(terminated, statements)
    else:
        yield f"-- not SQL ({_name(kind)}): use perfwright apply and undo"


def _name(text: str) -> str:
    """Keep text of others inside its comment: no line break survives."""
    return wording.plain(text)
