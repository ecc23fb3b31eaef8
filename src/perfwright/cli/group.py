"""The `perfwright` command. One module per command; each is imported when it is called."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from perfwright._version import __version__
from perfwright.cli.console import ERROR, READER, show_failure, tell_failure
from perfwright.core import PerfwrightError

COMMANDS = {
    "optimize": "Find bottlenecks, prove changes, keep what is proven.",
    "profile": "Find bottlenecks; change and try nothing.",
    "try": "Prove or refute one change of your own.",
    "compare": "Say which of two commands is faster, or that nobody can tell.",
    "record": "Record the SQL that a program runs, as a workload.",
    "apply": "Make proven changes on the real target.",
    "undo": "Take changes of the real target back.",
    "report": "Show a run again: terminal, JSON, Markdown, HTML or SQL.",
    "ledger": "List runs and changes.",
    "gateway": "Serve language models with limits, cache and budgets, to any program.",
    "bench": "Measure the LLM runtime's headline claims on this machine.",
    "init": "Look at a project and write perfwright.toml.",
    "doctor": "Say what is installed and reachable, and how to add what is missing.",
    "demo": "Speed up a small shop's database before your eyes.",
}
"""Every command with the line that `--help` shows, so that help imports none of them."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which people meet them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"perfwright.cli.{cmd_name}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="perfwright")
def perfwright() -> None:
    """Make a running system faster, and prove it.

    Nothing is changed on a target unless you say --apply or run `perfwright apply`.

    Exit codes: 0 met or no regression, 1 goal missed or regression, 2 error, 3 inconclusive.
    """


def main() -> None:
    """Run the command line; errors become one sentence and exit code 2.

    SIGTERM does what Ctrl-C does: what is in flight is taken back first.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    READER.wants_json, READER.served = wants_json(sys.argv[1:]), False
    code = ERROR
    try:
        code = perfwright.main(standalone_mode=False) or 0
    except PerfwrightError as error:
        show_failure(str(error), remedy=error.remedy or _HELP)
    except (KeyboardInterrupt, click.exceptions.Abort):
        show_failure("stopped; nothing is left in flight", remedy="run it again")
    except click.ClickException as error:
        error.show()
        context = error.ctx if isinstance(error, click.UsageError) else None
        remedy = f"see: {context.command_path} --help" if context else _HELP
        tell_failure(error.format_message(), remedy=remedy)
    except BrokenPipeError:  # such as `perfwright report | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a full disk, a folder that vanished: no bug, so no traceback
        place = f"{error.filename}: " if error.filename else ""
        remedy = "free it or choose another place"
        show_failure(f"{place}{error.strerror or error}; {remedy}", remedy=remedy)
    except Exception as error:  # the boundary to a program: people see the traceback
        if not READER.wants_json:
            raise
        show_failure(f"{type(error).__name__}: {error}", remedy=_DEFECT)
    sys.exit(code)


_HELP = "see: perfwright --help"
_DEFECT = "this is a defect: run it without --json, and report the traceback that it shows"


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether a program reads the answer; told from the words, for these may be the mistake."""
    own = itertools.takewhile(lambda word: word != "--", arguments)
    return "--json" in own and arguments[0] != "record"  # whose words are another program's
