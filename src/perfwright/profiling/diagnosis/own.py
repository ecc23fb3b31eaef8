"""Which code the user can change."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePath

from perfwright.profiling.model import Function

_INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\]")
_STANDARD = re.compile(r"[/\\](lib|Lib)[/\\](python3\.\d+[/\\]|asyncio[/\\]|importlib[/\\])")
# Code that the interpreter, attrs and NumPy make up; what dataclasses make is told by its name.
_GENERATED = ("<frozen ", "<attrs generated ", "<__array_function__")
_LIBRARY = tuple(
    str(PurePath(path)) for path in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
)
_SELF = str(PurePath(__file__).parents[2])


@dataclass(frozen=True, slots=True)
class OwnCode:
    """Tells functions that the user can change from those of libraries and the interpreter.

    With neither roots nor names, all code is own but the standard library, installed packages,
    C functions and perfwright.
    """

    roots: tuple[str, ...] = ()
    """Folders of the project; packages installed below them are not own."""
    named: tuple[str, ...] = ()
    """Packages, folders, files or globs that are own wherever they lie, as `sqlparse`."""
    foreign: tuple[str, ...] = ()
    """The same for code that is not own, such as vendored packages; `named` wins."""

    def owns(self, function: Function) -> bool:
        """Tell whether the user can change this function."""
        return not _is_made_up(function) and self.owns_file(function.file)

    def owns_file(self, file: str) -> bool:
        """Tell whether the user can change this file."""
        if file in {"", "~"} or file.startswith(_GENERATED):
            return False
        if _matches(file, self.named):
            return True
        if _matches(file, self.foreign) or _is_library(file):
            return False
        if not self.roots:
            return True
        typed_in = file.startswith("<") and file != "<string>"
        return typed_in or any(_below(file, root) for root in self.roots)


def _is_made_up(function: Function) -> bool:
    """Whether a library wrote it, as dataclasses and named tuples do with `__init__`."""
    name = function.name.rpartition(".")[2]
    dunder = name.startswith("__") and name.endswith("__")
    return function.file == "<string>" and (dunder or function.name.startswith("__create_fn__"))


def _is_library(file: str) -> bool:
    if _INSTALLED.search(file) or _STANDARD.search(file):
        return True
    return any(_below(file, folder) for folder in (*_LIBRARY, _SELF))


def _below(file: str, folder: str) -> bool:
    folder = folder.rstrip("/\\")
    return file == folder or file.startswith((f"{folder}/", f"{folder}\\"))


def _matches(file: str, patterns: Iterable[str]) -> bool:
    return any(_is_named(file, pattern) for pattern in patterns)


def _is_named(file: str, pattern: str) -> bool:
    if re.fullmatch(r"\w+(\.\w+)*", pattern):  # a package or module
        inner = pattern.replace(".", "/")
        place = file.replace("\\", "/")
        return f"-packages/{inner}/" in place or place.endswith(f"-packages/{inner}.py")
    return _below(file, pattern) or fnmatch(file, pattern)
