"""Write docs/reference/commands.md and detectors.md from the code that they describe.

    python scripts/generate_reference.py [--check]

With --check nothing is written; exit code 1 says that a page is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from perfwright.agents.database.registry import all_detectors, all_remedies
from perfwright.cli.group import COMMANDS, perfwright

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
WIDTH = 88


def commands_page() -> str:
    """Every command with its help."""
    return "\n".join(["# Commands", "", *_commands()])


def _commands() -> Iterator[str]:
    parent = click.Context(perfwright, info_name="perfwright")
    for name, summary in COMMANDS.items():
        command = perfwright.get_command(parent, name)
        assert command is not None
        context = click.Context(
            command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH
        )
        yield from (f"## {name}", "", summary, "", "```text", command.get_help(context), "```", "")


def detectors_page() -> str:
    """Every detector with what it finds, why, its remedies and its limits."""
    lines = [
        "# Detectors",
        "",
        "What the database agent finds. Each is one file in `agents/database/detectors`, with an",
        "example on which it fires and one on which it stays silent; other packages add theirs",
        "through the entry-point group `perfwright.detectors`.",
        "",
    ]
    for rule in all_detectors():
        answered = [remedy for remedy in all_remedies() if rule.id in remedy.answers]
        lines += [
            f"## {rule.id}",
            "",
            f"{rule.title}. {rule.why}",
            "",
            f"- **Scope**: {rule.scope}",
            f"- **Remedies**: {', '.join(remedy.id for remedy in answered) or 'advice only'}",
            f"- **Limits**: {rule.limits}",
            "",
        ]
    return "\n".join(lines)


PAGES = {"commands.md": commands_page, "detectors.md": detectors_page}


def main(*, check: bool) -> int:
    """Write the pages, or say which are stale."""
    stale = []
    for name, page in PAGES.items():
        path, text = REFERENCE / name, page()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, encoding="utf-8")
    print(f"{'stale' if check else 'written'}: {', '.join(stale)}" if stale else "all up to date")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
