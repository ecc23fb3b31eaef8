"""The outcome of `compare` as a rich renderable."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from perfwright.core import Arm, Measurement
from perfwright.experiments import Winner
from perfwright.report import wording
from perfwright.report.document import ComparedCommands
from perfwright.report.headline import comparison_sentence
from perfwright.report.prepare import without_secrets
from perfwright.report.terminal import guardrail_line, indented

_COMMAND_WIDTH = 150
_NAMES = {"wall": "wall time", "cpu": "CPU time", "memory": "peak memory"}


def comparison_view(compared: ComparedCommands) -> RenderableType:
    """Show which command is faster, how sure that is, and what else was measured."""
    comparison = compared.comparison
    decided = comparison.winner is not Winner.INCONCLUSIVE
    parts: list[RenderableType] = [
        Text(comparison_sentence(compared), style="bold green" if decided else "bold yellow"),
        indented(wording.plain(comparison.reason)),
        Text(),
        *(indented(_command(compared, arm)) for arm in Arm),
    ]
    if comparison.measured:
        parts += [Text(), indented(_table(compared)), Text()]
    parts += [indented(guardrail_line(guard)) for guard in comparison.guardrails]
    parts.append(indented(Text(_conditions(compared), style="dim")))
    return Group(*parts)


def _command(compared: ComparedCommands, arm: Arm) -> str:
    command = wording.plain(without_secrets(compared.a if arm is Arm.A else compared.b))
    code = compared.exit_codes.get(arm)
    ended = f"  (exit code {code})" if code else ""
    return f"{arm.value.upper()}: {wording.shorten(command, _COMMAND_WIDTH)}{ended}"


def _table(compared: ComparedCommands) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="dim")
    table.add_column("median of")
    for name in ("A", "B", "B against A", "interval"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, measured in compared.comparison.measured.items():
        table.add_row(*_row(name, measured))
    return table


def _row(name: str, measured: Measurement) -> tuple[str, ...]:
    unit = wording.unit_of(measured)
    return (
        _NAMES.get(name, wording.plain(name)),
        wording.amount(measured.baseline, unit),
        wording.amount(measured.treatment, unit),
        wording.change(measured.ratio),
        wording.interval(measured),
    )


def _conditions(compared: ComparedCommands) -> str:
    comparison = compared.comparison
    floor = (
        f"noise floor {wording.percent(comparison.noise_floor)} (equal halves of these runs may "
        "differ by that much)"
        if comparison.noise_floor < float("inf")
        else "noise floor not known: too few pairs"
    )
    machine = comparison.machine
    return (
        f"{floor}; load {machine.load_1m:.2f} on {wording.counted(machine.cpus, 'processor')}; "
        f"{len(comparison.samples)} pairs in {wording.amount(comparison.elapsed_s, 's')}; "
        f"seed {compared.seed}"
    )
