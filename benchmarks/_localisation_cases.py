"""The cases of the localisation benchmark: what they are, and both versions of each on disk."""

from __future__ import annotations

import ast
import hashlib
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from _shared import say

HERE = Path(__file__).parent / "localisation"
CASES = HERE / "cases"
PACKAGES = HERE / "packages.toml"
STORE = Path(__file__).parent.parent / ".perfwright" / "localisation"
_INSTALL_LIMIT_S = 300.0

Version = Literal["slow", "fixed"]
Place = tuple[str, str]
"""Path of a file, and qualified name of a function in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A slow program with one known cause, and the same program without it."""

    name: str
    title: str
    split: Literal["dev", "held-out"]
    kind: str
    kinds: frozenset[str]
    """Right answers: `kind`, and others that name the same cause as well."""
    culprit: tuple[Place, ...]
    """What the fix changes; the path as far as it is the same wherever the case lies."""
    neighbours: tuple[Place, ...]
    """What also leads a person there: the caller that should not call, the callee that is slow."""
    measure: Literal["wall", "cpu", "held", "peak"]
    """What the fix makes less of."""
    source: str
    """Where the fix is written down; empty for programs made for this benchmark."""
    package: str
    """Import name of the package that is slow; empty for programs made for this benchmark."""
    versions: Mapping[str, str]
    """Sets of packages.toml, by version."""
    fix: Mapping[str, str]
    """`find` is replaced by `replace` in `file`."""

    @property
    def folder(self) -> Path:
        return CASES / self.name

    @property
    def real(self) -> bool:
        """Two published versions, and not a program made for this benchmark."""
        return bool(self.package)


def parse(name: str, text: str) -> Case:
    """Read one `case.toml`.

    Raises:
        ValueError: If something is missing or there is too much.
    """
    table = tomllib.loads(text)
    known = {"title", "split", "kind", "kinds", "culprit", "neighbours", "measure", "source"}
    if unknown := set(table) - known - {"package", "versions", "fix"}:
        raise ValueError(f"{name}: unknown keys {sorted(unknown)}")
    if ("package" in table) == ("fix" in table):
        raise ValueError(f"{name}: needs either a package with two versions or a fix")
    if table["split"] not in {"dev", "held-out"}:
        raise ValueError(f"{name}: split is dev or held-out, not {table['split']!r}")
    return Case(
        name=name,
        title=table["title"],
        split=table["split"],
        kind=table["kind"],
        kinds=frozenset({table["kind"], *table.get("kinds", ())}),
        culprit=_places(table["culprit"]),
        neighbours=_places(table.get("neighbours", ())),
        measure=table.get("measure", "wall"),
        source=table.get("source", ""),
        package=table.get("package", ""),
        versions=table.get("versions", {}),
        fix=table.get("fix", {}),
    )


def _places(texts: Sequence[str]) -> tuple[Place, ...]:
    return tuple((file, function) for file, function in (text.split(":") for text in texts))


def load(names: Sequence[str] = (), split: str = "all") -> list[Case]:
    """Return the cases named, or all, in the order of their names."""
    cases = [
        parse(path.parent.name, path.read_text()) for path in sorted(CASES.glob("*/case.toml"))
    ]
    if unknown := set(names) - {case.name for case in cases}:
        raise SystemExit(f"no case {', '.join(sorted(unknown))}")
    return [
        case for case in cases if (not names or case.name in names) and split in {"all", case.split}
    ]


@dataclass(frozen=True, slots=True)
class Laid:
    """One version of a case, ready to run."""

    path: tuple[str, ...]
    """For sys.path, first to last."""
    own: tuple[str, ...]
    """Folders of the code that the user could change."""


def lay(case: Case, version: Version) -> Laid:
    """Put one version of a case on disk: installs its packages, or applies its fix to a copy."""
    if case.real:
        site = _install(case.versions[version])
        return Laid(
            (str(case.folder), str(site)),
            (str(case.folder), *(str(site / name) for name in case.package.split())),
        )
    folder = case.folder if version == "slow" else _fixed_copy(case)
    return Laid((str(folder),), (str(folder),))


def _fixed_copy(case: Case) -> Path:
    copy = STORE / "fixed" / case.name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(case.folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / case.fix["file"]
    text = file.read_text()
    if text.count(case.fix["find"]) != 1:
        raise ValueError(f"{case.name}: the text to replace must occur once in {case.fix['file']}")
    file.write_text(text.replace(case.fix["find"], case.fix["replace"]))
    return copy


def pinned() -> dict[str, list[str]]:
    """Return all sets of packages, exactly as they are installed."""
    sets: dict[str, list[str]] = tomllib.loads(PACKAGES.read_text())
    return sets


def _install(name: str) -> Path:
    """Return the folder with a set of packages; installs it if it is not there as listed."""
    requirements = pinned()[name]
    mark = hashlib.sha256(f"{requirements} {sys.version}".encode()).hexdigest()[:12]
    site = STORE / "packages" / f"{name}-{mark}"
    if site.exists():
        return site
    say(f"installing {' '.join(requirements)}")
    unfinished = site.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run(
        [*command, "--python", sys.executable, "--target", str(unfinished), *requirements],
        check=True,
        timeout=_INSTALL_LIMIT_S,
    )
    unfinished.rename(site)
    return site


@cache
def spans(file: str) -> list[tuple[int, int, str]]:
    """List first line, last line and qualified name of each function, outer ones first."""
    try:
        tree = ast.parse(Path(file).read_text())
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError):
        return []
    found: list[tuple[int, int, str]] = []

    def visit(node: Any, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min((child.lineno, *(each.lineno for each in child.decorator_list)))
                found.append((first, child.end_lineno or first, prefix + child.name))
                visit(child, f"{prefix}{child.name}.<locals>.")
            elif isinstance(child, ast.ClassDef):
                visit(child, f"{prefix}{child.name}.")
            else:
                visit(child, prefix)

    visit(tree, "")
    return found


def function_at(file: str, line: int, name: str) -> str:
    """Name the function around a line as `__qualname__` does; comprehensions belong to it.

    Profilers name functions differently (plain, qualified, with their class); the place does not
    differ. Where no source tells, the name stays as given.
    """
    found = [qualified for first, last, qualified in spans(file) if first <= line <= last]
    if found:
        return found[-1]
    return "<module>" if spans(file) else name
