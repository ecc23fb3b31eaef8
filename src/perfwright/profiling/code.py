"""Code objects as the functions that people know."""

from __future__ import annotations

from pathlib import Path
from types import CodeType

from perfwright.profiling.model import Function


def function_of(code: CodeType) -> Function:
    """Return the function that a code object belongs to; of a script, by its whole path."""
    return Function(whole_path(code.co_filename), code.co_firstlineno, code.co_qualname)


def whole_path(file: str) -> str:
    """Return where a file of code is; what stands for a file, such as `<string>`, stays."""
    return file if not file or file.startswith("<") else str(Path(file).absolute())


def c_function(name: str) -> Function:
    """Return the C function that cProfile calls `name`, by a short name.

    `<built-in method builtins.len>` is `builtins.len`, `<method 'append' of 'list' objects>` is
    `list.append`.
    """
    short = name.removeprefix("<").removesuffix(">").removeprefix("built-in method ")
    parts = short.split("'")
    if len(parts) == 5:
        short = f"{parts[3]}.{parts[1]}"
    return Function("~", 0, short)
