"""Which function is around a line, as the source tells."""

from __future__ import annotations

import ast
import linecache
from bisect import bisect_right
from collections.abc import Iterator

from perfwright.profiling.code import whole_path
from perfwright.profiling.model import Frame, Function

_LAST = 1 << 62


class Lines:
    """Names places by file and line."""

    def __init__(self) -> None:
        self._files: dict[str, list[tuple[int, int, str]]] = {}

    def frame(self, file: str, line: int) -> Frame:
        """Return the place with the function around it; its name is empty without a source."""
        spans = self._files.get(file)
        if spans is None:
            spans = self._files[file] = functions_in("".join(linecache.getlines(file)))
        file = whole_path(file)
        # Spans are in the order of their beginnings, so the last one around is the innermost.
        for first, last, name in reversed(spans[: bisect_right(spans, (line, _LAST, ""))]):
            if first <= line <= last:
                return Frame(Function(file, first, name), line)
        return Frame(Function(file, 1 if spans else 0, "<module>" if spans else ""), line)


def functions_in(source: str) -> list[tuple[int, int, str]]:
    """Return first line, last line and qualified name of all functions; empty if not Python."""
    if not source:
        return []
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    return [(1, source.count("\n") + 1, "<module>"), *sorted(_functions(tree, ""))]


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[int, int, str]]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                first = min(d.lineno for d in (child, *child.decorator_list))
                name = prefix + child.name
                yield first, child.end_lineno or first, name
                yield from _functions(child, f"{name}.<locals>.")
            case ast.ClassDef():
                yield from _functions(child, f"{prefix}{child.name}.")
            case _:
                yield from _functions(child, prefix)
