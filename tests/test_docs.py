"""What the documentation says is what the code does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_generated_reference_is_up_to_date() -> None:
    script = ROOT / "scripts" / "generate_reference.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nrun: python {script.name}"


def test_every_command_of_the_command_line_stands_in_the_readme() -> None:
    from perfwright.cli.group import COMMANDS

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [name for name in COMMANDS if f"perfwright {name}" not in readme]
    assert missing == []


def test_every_setting_stands_in_the_reference() -> None:
    import msgspec

    from perfwright.container.config import Config

    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    for section in msgspec.structs.fields(Config):
        lines = [line for line in page.splitlines() if f"[{section.name}]" in line]
        for setting in msgspec.structs.fields(section.type):
            assert any(f"{setting.name}`" in line for line in lines), (section.name, setting.name)
