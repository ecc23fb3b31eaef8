"""Every command explains itself, and every option says what it does."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click
import pytest

from perfwright.cli.group import COMMANDS
from tests.cli.calling import Caller, assert_refused


def command_of(name: str) -> click.Command:
    module = import_module(f"perfwright.cli.{name}_command")
    command: click.Command = module.command
    return command


def test_the_help_lists_every_command(perfwright: Caller) -> None:
    shown = perfwright("--help")
    assert shown.code == 0
    assert [name for name in COMMANDS if f"\n  {name} " not in shown.out] == []


def test_the_help_names_the_exit_codes(perfwright: Caller) -> None:
    assert "0 met or no regression, 1 goal missed" in perfwright("--help").out


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help(name: str, perfwright: Caller) -> None:
    shown = perfwright(name, "--help")
    assert (shown.code, shown.out.startswith("Usage: ")) == (0, True)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_explained(name: str) -> None:
    options = [each for each in command_of(name).params if isinstance(each, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_no_markup_of_click_is_shown_in_help(name: str, perfwright: Caller) -> None:
    shown = perfwright(name, "--help").out
    assert "\\b" not in shown
    assert "\b" not in shown


def test_the_examples_of_a_command_stand_on_lines_of_their_own(perfwright: Caller) -> None:
    lines = [line.strip() for line in perfwright("optimize", "--help").out.splitlines()]
    assert "perfwright optimize shop.db --workload workload.jsonl" in lines


def test_the_help_imports_no_command() -> None:
    script = (
        "import sys; sys.argv = ['perfwright', '--help']\n"
        "from perfwright.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print([name for name in sys.modules if name.endswith('_command')])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines()[-1] == "[]"


def test_the_version_is_shown(perfwright: Caller) -> None:
    shown = perfwright("--version")
    assert (shown.code, shown.out.startswith("perfwright, version")) == (0, True)


def test_an_unknown_command_is_refused(perfwright: Caller) -> None:
    assert_refused(perfwright("optimise"), "optimise")


def test_an_unknown_option_is_refused(perfwright: Caller) -> None:
    assert_refused(perfwright("ledger", "--nonsense"), "--nonsense")


def test_doctor_finds_what_every_run_needs(perfwright: Caller) -> None:
    done = perfwright("doctor")
    assert (done.code, "SQLite" in done.out) == (0, True)
