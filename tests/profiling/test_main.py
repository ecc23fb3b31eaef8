"""`python -m perfwright.profiling`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """\
import sys

def unique(rows):
    seen = []
    for row in rows:
        if row not in seen:
            seen.append(row)
    return seen

if __name__ == "__main__":
    print(sys.argv[1:], len(unique(list(range(3000)))))
    sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "perfwright.profiling", *map(str, arguments)],
        capture_output=True,
        check=False,
        cwd=folder,
        text=True,
        timeout=50,
    )


def test_a_program_keeps_its_output_and_exit_code(program: Path) -> None:
    ended = run("app.py", "7", "--json", folder=program.parent)
    assert (ended.returncode, ended.stdout) == (7, "['7', '--json'] 3000\n")


def test_the_report_goes_to_standard_error(program: Path) -> None:
    ended = run("--mode", "deterministic", "app.py", "0", folder=program.parent)
    assert "1. app.py:3:unique\n   Bottleneck Score: " in ended.stderr


def test_a_module_is_found_as_by_the_interpreter(program: Path) -> None:
    ended = run("-m", "app", "0", folder=program.parent)
    assert (ended.returncode, ended.stdout) == (0, "['0'] 3000\n")


def test_profiles_are_written_for_other_tools(program: Path) -> None:
    run("-o", "a.json", "-o", "a.speedscope.json", "app.py", "0", folder=program.parent)
    written = [
        json.loads((program.parent / f"a.{end}").read_text()) for end in ("json", "speedscope.json")
    ]
    assert written[1]["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert written[0]["profile"]["sources"] == {str(program): PROGRAM}


def test_a_program_that_fails_shows_its_traceback(program: Path) -> None:
    ended = run("app.py", folder=program.parent)
    assert (ended.returncode, "IndexError" in ended.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nothing.py"], "there is no such file"),
        (["-o", "a.png", "app.py", "0"], "must end in"),
        (["--pid", "999999999"], "does not exist"),
        ([], "give a program, or --pid"),
        (["--pid", "1", "app.py"], "give a program, or --pid"),
        (["--rate", "0", "app.py", "0"], "rate"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_program_runs(
    program: Path, arguments: list[str], text: str
) -> None:
    ended = run(*arguments, folder=program.parent)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert text in ended.stderr
