"""`import perfwright` is cheap: the program that it speeds up must not start more slowly for it."""

from __future__ import annotations

import subprocess
import sys

MAX_MODULES = 130  # of all entries in sys.modules, the interpreter's own included


def modules_after(statement: str) -> set[str]:
    """Return the names in `sys.modules` of a fresh interpreter that has run `statement`."""
    # -I: neither the environment nor this folder may add modules of their own.
    child = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys\n{statement}\nprint(*sys.modules)"],
        capture_output=True,
        check=True,
        text=True,
    )
    return set(child.stdout.split())


def test_import_loads_the_standard_library_only() -> None:
    added = modules_after("import perfwright") - modules_after("pass")
    packages = {name.partition(".")[0] for name in added}
    assert packages - sys.stdlib_module_names == {"perfwright"}


def test_import_loads_few_modules() -> None:
    loaded = modules_after("import perfwright")
    assert len(loaded) <= MAX_MODULES, sorted(loaded)
