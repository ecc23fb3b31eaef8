"""Waits until the program imports sqlite3; programs that never do pay for nothing else."""

# ruff: noqa: PTH118 - pathlib takes longer to load than the whole recorder
# ruff: noqa: TID252 - the package goes by another name in the program

from __future__ import annotations

import os
import sys

from .guard import quietly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

MODULE = "sqlite3.dbapi2"  # where `sqlite3` itself takes its names from


def start() -> None:
    """Begin to wait, or begin at once if something was faster (a `.pth` file can be)."""
    quietly(leave_mark, "python")
    if MODULE in sys.modules:
        quietly(_install, sys.modules[MODULE])
    else:
        sys.meta_path.insert(0, _Finder())


def leave_mark(name: str) -> None:
    """Tell `perfwright record` how far things got: explains an empty recording."""
    path = os.path.join(os.environ["PERFWRIGHT_RECORD_DIR"], name)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))


def _install(module: ModuleType) -> None:
    from .patching import install

    install(module)
    leave_mark("sqlite3")


class _Finder:
    """Lets the other finders find sqlite3 and wraps the loader that they name."""

    def find_spec(  # noqa: PLR0917 - the protocol of imports
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)  # programs add finders of all ages
            spec: ModuleSpec | None = None if find is None else find(name, path, target)
            if spec is not None:
                spec.loader = _Loader(spec.loader)  # type: ignore[assignment]  # it hands on the rest
                return spec
        return None


class _Loader:
    """Loads as the real loader does and lets the recorder in behind it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        quietly(_install, module)
