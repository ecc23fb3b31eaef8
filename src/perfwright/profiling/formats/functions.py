"""Functions of formats that tell a name and a line, but not where the function begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from perfwright.profiling.model import Frame, Function

Place = tuple[str, str, int]
"""File, qualified name, and the line that was being executed."""


def frames_of(places: Iterable[Place]) -> Mapping[Place, Frame]:
    """Resolve places to frames; two lines of one function become frames of one function.

    Where the file can be read, a function begins where its source says; otherwise at the first of
    its lines that was seen.
    """
    by_function: dict[tuple[str, str], list[Place]] = {}
    for place in set(places):
        by_function.setdefault(place[:2], []).append(place)
    spans = {file: _spans(file) for file, _ in by_function}
    found: dict[Place, Frame] = {}
    for (file, name), seen in by_function.items():
        first = min(line for _, _, line in seen)
        for place in seen:
            line = _first_line(spans[file], name=name, line=place[2])
            found[place] = Frame(Function(file, first if line is None else line, name), place[2])
    return found


def _first_line(spans: list[tuple[str, int, int]], *, name: str, line: int) -> int | None:
    if name == "<module>":
        return 1 if spans else None
    short = name.rpartition(".")[2]
    around = [first for found, first, last in spans if found == short and first <= line <= last]
    return max(around, default=None)


def _spans(file: str) -> list[tuple[str, int, int]]:
    """Name, first and last line of each function and class of a file."""
    import ast  # 6 ms, and only files from elsewhere need it

    if not Path(file).is_absolute():
        return []
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []  # its source is not here: the lines that were seen must do
    spans = []
    for node in ast.walk(tree):
        name = _name(node)
        if name and isinstance(node, ast.stmt | ast.expr):
            decorators = getattr(node, "decorator_list", [])
            first = min([node.lineno, *(item.lineno for item in decorators)])
            spans.append((name, first, node.end_lineno or first))
    return spans


def _name(node: object) -> str:
    names = {
        "ListComp": "<listcomp>",
        "SetComp": "<setcomp>",
        "DictComp": "<dictcomp>",
        "GeneratorExp": "<genexpr>",
        "Lambda": "<lambda>",
    }
    return names.get(type(node).__name__) or str(getattr(node, "name", "") or "")
