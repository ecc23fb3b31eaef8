"""Shows a run while it goes on, on standard error."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed

from perfwright.core import ExperimentRecord, Outcome, format_percent
from perfwright.optimizer import (
    Calibrated,
    Event,
    Examined,
    Failed,
    StageBegan,
    StepSaid,
    Tried,
    Trying,
)

_STYLES = {
    Outcome.KEPT: "green",
    Outcome.REJECTED: "yellow",
    Outcome.INCONCLUSIVE: "cyan",
    Outcome.FAILED: "red",
}
_LINE = 60


class RunProgress:
    """An observer of a run: a moving line at the bottom, a lasting line for every result."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            Elapsed(),
            console=console,
            transient=True,
        )
        self._stage = self._bar.add_task("Starting", total=None)
        self._title = "Starting"

    def __enter__(self) -> RunProgress:
        """Begin to draw."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the moving line away; what was printed stays."""
        self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case StageBegan(title=title, total=total):
                self._title = title
                self._bar.reset(self._stage, total=total, description=f"[bold]{escape(title)}")
            case StepSaid(line=line):
                self._describe(line)
            case Examined(profile=profile):
                count = len(profile.findings)
                self._print(f"{profile.agent}: {count} finding{'s' * (count != 1)}")
            case Calibrated(layer=layer, calibration=calibration):
                floor = calibration.noise_floor
                self._print(
                    f"Noise floor of the {layer} layer here: {format_percent(floor)} (A against A)"
                )
            case Trying(proposal=proposal):
                self._describe(proposal.change.summary)
            case Tried(record=record):
                self._bar.advance(self._stage)
                self._print(_line_of(record), style=_STYLES[record.verdict.outcome])
            case Failed(step=step, error=error):
                self._print(f"failed: {step}: {error}", style="red")

    def _describe(self, line: str) -> None:
        short = line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"
        text = f"[bold]{escape(self._title)}[/bold]  {escape(short)}"
        self._bar.update(self._stage, description=text)

    def _print(self, text: str, *, style: str | None = None) -> None:
        self._console.print(escape(text), style=style, soft_wrap=True)


def _line_of(record: ExperimentRecord) -> str:
    outcome = record.verdict.outcome
    subject = record.proposal.change.summary
    if record.measured is None:
        return f"  {outcome:<12} {subject}: {record.verdict.reason}"
    low, high = record.measured.interval
    effect = f"time x{record.measured.ratio:.3g} ({low:.3g} to {high:.3g})"
    reason = "" if outcome is Outcome.KEPT else f"; {record.verdict.reason}"
    return f"  {outcome:<12} {subject}: {effect}{reason}"
