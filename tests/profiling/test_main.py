"""`python -m perfwright.profiling`."""

from __future__ import annotations

import json
import subprocess
import sys
import zipapp
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
        (["--rate", "0", "--pid", "1"], "rate"),
        (["--mode", "sampling", "--pid", "1"], "always sampled"),
        (["-o", "nowhere/a.json", "app.py", "0"], "cannot be written"),
        (["--top", "0", "app.py", "0"], "top_n"),
        (["-m", "no_such_module", "0"], "no such module"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_program_runs(
    program: Path, arguments: list[str], text: str
) -> None:
    ended = run(*arguments, folder=program.parent)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert text in ended.stderr


LEAK = """
KEPT = {}
def keep(number):
    KEPT[number] = bytearray(8_000) + bytes(number % 9)
    sum(range(10_000))  # so that it takes a second, and not as long as one look
for number in range(8_000):
    keep(number)
"""


def test_what_the_program_keeps_is_seen_before_it_goes(tmp_path: Path) -> None:
    (tmp_path / "leak.py").write_text(LEAK, encoding="utf-8")
    run("-o", "leak.json", "leak.py", folder=tmp_path)
    memory = json.loads((tmp_path / "leak.json").read_text())["profile"]["memory"]
    held = sum(each["size_bytes"] for each in memory["growth"])
    assert held > 20_000_000
    assert memory["process_peak_bytes"] - memory["process_start_bytes"] > 50_000_000


FORK = """
import multiprocessing, sys, threading
def work(number):
    return sys.getprofile(), threading.getprofile()
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(1) as pool:
        print(pool.map(work, [1]))
"""


def test_workers_that_the_program_forks_are_not_profiled(tmp_path: Path) -> None:
    (tmp_path / "fork.py").write_text(FORK, encoding="utf-8")
    ended = run("--no-memory", "fork.py", folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "[(None, None)]\n")
    assert ended.stderr.count("Profile of") == 1


def test_nothing_around_the_program_is_part_of_its_profile(program: Path) -> None:
    run("-o", "a.json", "app.py", "0", folder=program.parent)
    written = (program.parent / "a.json").read_text()
    functions = {Path(file).name for file, _, _ in json.loads(written)["functions"]}
    assert "app.py" in functions
    assert not functions & {"__main__.py", "program.py", "runpy.py"}


@pytest.mark.parametrize("packed", ["folder", "zip"])
def test_a_folder_or_a_zip_file_runs_and_shows_its_source(tmp_path: Path, packed: str) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    name = "app"
    if packed == "zip":
        name = "app.pyz"
        zipapp.create_archive(tmp_path / "app", tmp_path / name)
    ended = run("-o", "a.json", name, "3", folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (3, "['3'] 3000\n")
    sources = json.loads((tmp_path / "a.json").read_text())["profile"]["sources"]
    assert list(sources.values()) == [PROGRAM]


def test_a_traceback_shows_the_program_only(program: Path) -> None:
    ended = run("app.py", folder=program.parent)
    assert ended.stderr.startswith("Traceback (most recent call last):\n  File ")
    assert "perfwright" not in ended.stderr.partition("Profile of")[0]


def test_importing_the_package_of_a_module_is_part_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("FOUND = sum(map(abs, range(300_000)))\n")
    (tmp_path / "shop" / "__main__.py").write_text("import shop; print(shop.FOUND)\n")
    ended = run("-o", "a.json", "-m", "shop", folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "44999850000\n")
    functions = json.loads((tmp_path / "a.json").read_text())["functions"]
    assert {"__init__.py", "__main__.py"} <= {Path(file).name for file, _, _ in functions}


def test_a_package_that_cannot_be_imported_shows_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("1 / 0\n")
    ended = run("-m", "shop.cart", folder=tmp_path)
    assert (ended.returncode, "ZeroDivisionError" in ended.stderr) == (1, True)


def test_a_package_without_such_a_module_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    ended = run("-m", "shop.cart", folder=tmp_path)
    assert (ended.returncode, "no such module" in ended.stderr) == (2, True)


def test_a_script_sees_its_name_as_it_was_given(tmp_path: Path) -> None:
    script = "import sys; print(sys.argv, __name__, __file__)"
    (tmp_path / "say.py").write_text(script, encoding="utf-8")
    ended = run("say.py", "1", folder=tmp_path)
    assert ended.stdout == f"['say.py', '1'] __main__ {tmp_path / 'say.py'}\n"


def test_a_script_that_is_no_python_fails_as_under_the_interpreter(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def (", encoding="utf-8")
    ended = run("bad.py", folder=tmp_path)
    assert (ended.returncode, "SyntaxError" in ended.stderr) == (1, True)
    assert "perfwright" not in ended.stderr.partition("Profile of")[0]
