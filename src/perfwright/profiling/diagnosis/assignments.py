"""What a text assigns to which name."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


def assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield the targets of a statement with the value of each; `a, b = pair` is left out."""
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            yield from zip(targets, values, strict=False)
        case ast.Assign(targets=targets, value=value):
            yield from ((target, value) for target in targets)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield target, value
        case _:
            pass


@dataclass(frozen=True, slots=True)
class Assigned:
    """Values and annotations of names and of attributes of `self`, as `self.rows`."""

    values: dict[str, list[ast.expr]] = field(default_factory=dict)
    annotations: dict[str, ast.expr] = field(default_factory=dict)

    @classmethod
    def of(cls, nodes: Iterable[ast.AST]) -> Assigned:
        """Collect what these statements assign."""
        found = cls()
        for node in nodes:
            for target, value in assignments(node):
                if path := _path(target):
                    found.values.setdefault(path, []).append(value)
            if isinstance(node, ast.AnnAssign) and (path := _path(node.target)):
                found.annotations.setdefault(path, node.annotation)
        return found


def _path(target: ast.expr) -> str:
    match target:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return f"self.{name}"
        case _:
            return ""
