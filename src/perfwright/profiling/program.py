"""A Python program that runs inside this process as if it had been started by itself."""

from __future__ import annotations

import functools
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.machinery import ModuleSpec, PathFinder, SourcelessFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from perfwright.core import ConfigError
from perfwright.profiling.model import Call, Function, Stack

AROUND = frozenset((__file__, str(Path(__file__).with_name("__main__.py"))))
"""Files of the functions that are around a program that they run, and no part of it."""

_Found = tuple[CodeType, ModuleType]


class Program:
    """The module `__main__` of a program: a script, a folder or zip file with one, or a module.

    It lives as long as this object: what it keeps is there until somebody has looked.

    Raises:
        ConfigError: If there is no such program.
    """

    def __init__(self, name: str, *, is_module: bool) -> None:
        self._load: Callable[[], _Found]
        if is_module:
            sys.path[0] = str(Path.cwd())
            if _spec_of(name.partition(".")[0]) is None:
                raise ConfigError(field="program", value=name, problem="there is no such module")
            # Its package is imported when it runs, as that is a part of what it costs.
            self._load = functools.partial(_of_module, name)
        else:
            self._load = _of_path(name)
        self._name = None if is_module else name

    def run(self, arguments: list[str]) -> int:
        """Run it to its end; returns its exit code.

        Raises:
            ConfigError: If the package of a module holds none of that name.
        """
        try:
            code, self._module = self._load()
        except ConfigError:
            raise
        except Exception:  # noqa: BLE001 - a syntax error, or whatever the package fails with
            _print_failure()
            return 1
        self._module.__dict__["__builtins__"] = __builtins__
        sys.argv = [self._name or str(self._module.__dict__["__file__"]), *arguments]
        # Pickles, forked and spawned workers look for it there.
        sys.modules["__main__"] = self._module
        try:
            exec(code, self._module.__dict__)  # noqa: S102 - what the user asked for
        except SystemExit as end:
            return _exit_code(end)
        except Exception:  # noqa: BLE001 - whatever the program fails with, as the interpreter would
            _print_failure()
            return 1
        return 0


def inside(stack: Stack) -> Stack:
    """Return a stack without the frames around the program; maybe none is left."""
    outer = [at for at, frame in enumerate(stack.frames, start=1) if _is_around(frame.function)]
    return replace(stack, frames=stack.frames[outer[-1] :]) if outer else stack


def calls_inside(calls: Iterable[Call]) -> tuple[Call, ...]:
    """Return the calls without those that are not the program's: nobody called its main module."""
    within = (call for call in calls if not _is_around(call.callee))
    return tuple(
        replace(call, caller=None) if call.caller and _is_around(call.caller) else call
        for call in within
        if not (call.caller and _is_around(call.caller) and call.callee.line == 0)
    )


def _is_around(function: Function) -> bool:
    return function.file in AROUND


def _of_path(name: str) -> Callable[[], _Found]:
    """Find a script, or what a folder or a zip file begins with; its code is read when it runs."""
    path = Path(name).absolute()
    if not path.exists():
        raise ConfigError(field="program", value=name, problem="there is no such file")
    spec = None if _is_script(path) else PathFinder.find_spec("__main__", [str(path)])
    if spec is not None:
        sys.path[0] = str(path)
        return functools.partial(_of_spec, spec)
    if path.is_dir():
        raise ConfigError(field="program", value=name, problem="holds no __main__.py")
    sys.path[0] = str(path.parent)
    return functools.partial(_of_script, path)


def _of_script(path: Path) -> _Found:
    module = ModuleType("__main__")
    module.__dict__.update(__file__=str(path), __cached__=None, __spec__=None)
    return _compiled(path), module


def _is_script(path: Path) -> bool:
    return path.is_file() and path.suffix in {".py", ".pyw", ".pyc"}


def _compiled(path: Path) -> CodeType:
    if path.suffix == ".pyc":
        code = SourcelessFileLoader("__main__", str(path)).get_code("__main__")
        if code is None:
            raise ConfigError(field="program", value=str(path), problem="holds no Python code")
        return code
    return compile(path.read_bytes(), str(path), "exec", dont_inherit=True)


def _of_module(name: str) -> _Found:
    spec = _spec_of(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = _spec_of(f"{name}.__main__")
    if spec is None:
        raise ConfigError(field="program", value=name, problem="there is no such module to run")
    return _of_spec(spec)


def _spec_of(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            return None
        raise  # its package asks for another one
    except ValueError as error:
        raise ConfigError(field="program", value=name, problem=str(error)) from error


def _of_spec(spec: ModuleSpec) -> _Found:
    loader: Any = spec.loader  # not all can: those of modules in C
    code = loader.get_code(spec.name) if hasattr(loader, "get_code") else None
    if code is None:
        raise ConfigError(field="program", value=spec.name, problem="holds no Python code")
    module = ModuleType("__main__")
    module.__dict__.update(
        __file__=spec.origin,
        __cached__=spec.cached,
        __loader__=spec.loader,
        __package__=spec.parent,
        __spec__=spec,
    )
    return code, module


def _print_failure() -> None:
    """Print the traceback without the frames that are not the program's."""
    kind, error, around = sys.exc_info()
    while around is not None and around.tb_frame.f_code.co_filename in AROUND:
        around = around.tb_next
    traceback.print_exception(kind, error, around)


def _exit_code(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return 1
