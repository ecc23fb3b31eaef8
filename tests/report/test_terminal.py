from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import Any, Literal

import pytest
from rich.console import Console, RenderableType

from perfwright.experiments import Winner
from perfwright.report import comparison_view, run_view
from tests.report import records


def shown(view: RenderableType, *, width: int = 80, colour: bool = False) -> str:
    """Render as a plain terminal does, or as one with colours."""
    stream = io.StringIO()
    system: Literal["truecolor"] | None = "truecolor" if colour else None
    console = Console(file=stream, width=width, force_terminal=colour, color_system=system)
    console.print(view)
    return stream.getvalue()


def words(view: RenderableType) -> str:
    """Everything that is shown, as one line."""
    return " ".join(shown(view, width=400).split())


RUNS = [records.full_run, records.profile_run, records.empty_run, records.hostile_run]


@pytest.mark.parametrize("run", RUNS)
def test_nothing_is_wider_than_80_columns(run: Any) -> None:
    assert max(map(len, shown(run_view(run())).splitlines())) <= 80


@pytest.mark.parametrize("run", [records.full_run, records.profile_run, records.empty_run])
def test_own_words_show_on_a_terminal_that_knows_ascii_only(run: Any) -> None:
    text = shown(run_view(run())).translate({ord("\N{BOX DRAWINGS LIGHT HORIZONTAL}"): "-"})
    assert text.isascii()


def test_a_plain_terminal_gets_no_control_sequence() -> None:
    assert "\x1b" not in shown(run_view(records.full_run()))


def test_names_cannot_send_commands_to_the_terminal() -> None:
    text = shown(run_view(records.hostile_run()))
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_names_are_not_read_as_markup() -> None:
    note = replace(records.empty_run(), notes=("[bold red]x[/] stays",))
    assert "[bold red]x[/] stays" in words(run_view(note))


def test_the_first_claim_is_the_measured_one() -> None:
    text = words(run_view(records.full_run()))
    assert "3.9 times as fast 1.21 s before, 314 ms after (3.7 to 4.0 times;" in text


def test_the_costliest_finding_comes_first() -> None:
    text = shown(run_view(records.full_run()))
    assert text.index("812 ms") < text.index("143 ms") < text.index("61.2 ms")


@pytest.mark.parametrize("verdict", ["kept", "rejected", "inconclusive", "failed"])
def test_a_verdict_is_a_word_where_there_is_no_colour(verdict: str) -> None:
    assert f"\n{verdict} " in shown(run_view(records.full_run()))


def test_a_verdict_has_a_colour_where_there_is_one() -> None:
    assert "\x1b[1;32mkept" in shown(run_view(records.full_run()), colour=True)


def test_predicted_stands_beside_measured_with_its_interval() -> None:
    text = shown(run_view(records.full_run()), width=120)
    line = next(line for line in text.splitlines() if "reviews_product_created" in line)
    assert line.split()[-4:] == ["-78.0", "%", "-71.7", "%"]
    assert "-72.5 to -70.8 %" in text


def test_an_experiment_without_measurement_claims_no_number() -> None:
    assert "carts_updated -3.0 % not measured" in words(run_view(records.full_run()))


def test_a_broken_guardrail_is_named_with_its_numbers() -> None:
    text = words(run_view(records.full_run()))
    assert "guardrail write +31.0% (+24.0% to +38.4%), allowed +10%" in text


def test_goals_end_in_one_of_three_words() -> None:
    text = words(run_view(records.full_run()))
    assert "met: p95<50ms 12.4 ms -> 3.10 ms" in text
    assert "not met: workload<=-80%" in text
    assert "not measured: lcp<2.5s no browser agent" in text


def test_noise_load_spending_are_shown_with_the_result() -> None:
    text = words(run_view(records.full_run()))
    assert "noise floor 1.2 % (A/A, 20 pairs)" in text
    assert "load 0.71 on 2 processors" in text
    assert "time spent: 2 min 41 s of at most 10 min 00 s" in text
    assert "experiments tried: 6 of at most 20" in text
    assert "storage of what was kept: 4.58 MiB" in text


def test_a_long_statement_loses_its_middle() -> None:
    long = records.finding("f1", subject=f"SELECT {'a_column, ' * 60}b FROM reviews_of_last_year")
    text = words(run_view(replace(records.profile_run(), findings=(long,))))
    assert "SELECT a_column" in text
    assert " ... " in text
    assert "FROM reviews_of_last_year" in text


def test_values_are_hidden_unless_asked_for() -> None:
    assert "TEA-0815" not in words(run_view(records.full_run()))
    assert "TEA-0815" in words(run_view(records.full_run(), mask_literals=False))


def test_a_comparison_starts_with_its_verdict() -> None:
    text = words(comparison_view(records.compared()))
    assert text.startswith("B is 12.3 % faster (9.8 % to 14.7 %, 99 % interval, 40 pairs)")


def test_a_comparison_that_a_wins_is_told_from_its_side() -> None:
    text = words(comparison_view(records.compared(Winner.A, ratio=2.3)))
    assert text.startswith("A is 2.3 times as fast (2.2 to 2.4 times, 99 % interval, 40 pairs)")


def test_a_tie_that_cpu_time_settled_says_so() -> None:
    assert words(comparison_view(records.compared(basis="cpu"))).startswith(
        "B is 12.3 % faster by cpu time"
    )


def test_an_undecided_comparison_names_no_winner() -> None:
    text = words(comparison_view(records.compared(Winner.INCONCLUSIVE, ratio=0.99)))
    assert text.startswith("Inconclusive: B against A -1.0 % (-3.7 to +1.8 %")
    assert "faster" not in text


def test_a_comparison_shows_time_and_memory_of_both() -> None:
    text = words(comparison_view(records.compared()))
    assert "wall time 412 ms 361 ms -12.3 % -14.7 to -9.8 %" in text
    assert "peak memory 29.6 MiB 29.9 MiB +1.0 %" in text
    assert "noise floor 2.1 %" in text


def test_a_comparison_of_too_few_runs_admits_it() -> None:
    bare = records.compared(Winner.INCONCLUSIVE, measured={}, samples=(), noise_floor=math.inf)
    text = words(comparison_view(bare))
    assert text.startswith("Inconclusive: too few runs for any interval")
    assert "noise floor not known" in text


def test_a_comparison_fits_80_columns() -> None:
    view = comparison_view(records.compared(Winner.A, ratio=120.0))
    assert max(map(len, shown(view).splitlines())) <= 80
