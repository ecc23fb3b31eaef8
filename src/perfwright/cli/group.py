"""The `perfwright` command. One module per command; each is imported when it is called."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module

import click

from perfwright._version import __version__
from perfwright.cli.console import ERROR, show_error
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
    try:
        code = perfwright.main(standalone_mode=False)
    except PerfwrightError as error:
        show_error(str(error))
        code = ERROR
    except click.exceptions.Abort:
        show_error("stopped; nothing is left in flight")
        code = ERROR
    except click.ClickException as error:
        error.show()
        code = ERROR
    except KeyboardInterrupt:
        show_error("stopped; nothing is left in flight")
        code = ERROR
    except BrokenPipeError:  # such as `perfwright report | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ERROR
    except OSError as error:  # a full disk, a folder that vanished: no bug, so no traceback
        place = f"{error.filename}: " if error.filename else ""
        show_error(f"{place}{error.strerror or error}; free it or choose another place")
        code = ERROR
    sys.exit(code or 0)
