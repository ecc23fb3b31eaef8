"""The text of a program as its functions, their loops and who encloses what."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from perfwright.profiling.diagnosis.assignments import Assigned
from perfwright.profiling.model import Function

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Loop = ast.For | ast.AsyncFor | ast.While | Comprehension
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
MAKERS = {"__init__", "__new__", "__post_init__"}
"""What they change is new."""
LOOPS = (ast.For, ast.AsyncFor, ast.While, *COMPREHENSIONS)


@dataclass(eq=False)
class FunctionSource:
    """One `def`: what it contains, without the functions inside it."""

    name: str
    """Qualified."""
    node: FunctionNode
    module: ModuleSource
    owner: ast.ClassDef | None
    """The class that it is a method of."""

    @cached_property
    def function(self) -> Function:
        """What a profile calls it."""
        return Function(self.module.file, self.first_line, self.name)

    @cached_property
    def first_line(self) -> int:
        """Where the interpreter says that it begins: at its first decorator."""
        return min([self.node.lineno, *(d.lineno for d in self.node.decorator_list)])

    @property
    def last_line(self) -> int:
        """Of its body."""
        return self.node.end_lineno or self.node.lineno

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All of its body in the order of the text, nested functions left out, lambdas kept."""
        return tuple(_within(self.node))

    @cached_property
    def called_names(self) -> frozenset[str]:
        """Last parts of the names that it calls: `add` of `shop.basket.add(...)`."""
        return frozenset(
            getattr(node.func, "attr", getattr(node.func, "id", ""))
            for node in self.nodes
            if isinstance(node, ast.Call)
        )

    @cached_property
    def asked_of(self) -> dict[str, list[str]]:
        """The methods that it calls on each plain name, in the order of the text."""
        found: dict[str, list[str]] = {}
        for node in self.nodes:
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)):
                    found.setdefault(name, []).append(attr)
                case _:
                    pass
        return found

    @cached_property
    def assigned(self) -> dict[str, list[ast.expr]]:
        """What it assigns to each name, and to `self.name`."""
        return Assigned.of(self.nodes).values

    @property
    def attributes(self) -> Assigned:
        """What its class assigns to fields, and to attributes of `self` in any method."""
        return self.module.attributes_of(self.owner) if self.owner else Assigned()

    @cached_property
    def imports(self) -> dict[str, str]:
        """The full names of what it imports itself."""
        return _imported(self.nodes)

    @cached_property
    def parameters(self) -> frozenset[str]:
        """Names of its arguments, `self` and `cls` left out."""
        a = self.node.args
        every = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
        return frozenset(arg.arg for arg in every) - {"self", "cls"}

    @cached_property
    def loop_lines(self) -> frozenset[int]:
        """Lines that loops of this function execute again in each turn."""
        found = set[int]()
        for loop in self.nodes:
            if isinstance(loop, ast.For | ast.AsyncFor | ast.While):
                first = loop.lineno if isinstance(loop, ast.While) else loop.body[0].lineno
                found.update(range(first, (loop.body[-1].end_lineno or first) + 1))
            elif isinstance(loop, COMPREHENSIONS):
                found.update(range(loop.lineno, (loop.end_lineno or loop.lineno) + 1))
        return frozenset(found)

    def loops_around(self, node: ast.AST) -> list[Loop]:
        """The loops whose turns execute `node` again, innermost first."""
        found: list[Loop] = []
        child = node
        parent = self.module.parents.get(child)
        while parent is not None and child is not self.node:
            if isinstance(parent, LOOPS) and not _is_entered_once(parent, child):
                found.append(parent)
            if isinstance(parent, ast.comprehension):  # its own first iterable is evaluated once
                whole = self.module.parents[parent]
                is_first = isinstance(whole, COMPREHENSIONS) and whole.generators[0] is parent
                if is_first and child is parent.iter:
                    child, parent = whole, self.module.parents.get(whole)
                    continue
            child, parent = parent, self.module.parents.get(parent)
        return found


@dataclass(eq=False)
class ModuleSource:
    """One file."""

    file: str
    tree: ast.Module
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    functions: list[FunctionSource] = field(default_factory=list)
    _attributes: dict[ast.ClassDef, Assigned] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, *, file: str) -> ModuleSource | None:
        """Read a file; None where this interpreter cannot parse it."""
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return None
        module = cls(file, tree)
        module._walk()
        return module

    @cached_property
    def by_line(self) -> dict[int, FunctionSource]:
        """Functions by their first line."""
        return {f.first_line: f for f in self.functions}

    @cached_property
    def by_name(self) -> dict[str, FunctionSource]:
        """Functions by their qualified names."""
        return {f.name: f for f in self.functions}

    def attributes_of(self, owner: ast.ClassDef) -> Assigned:
        """What a class of this file assigns to its attributes."""
        if owner not in self._attributes:
            self._attributes[owner] = Assigned.of(ast.walk(owner))
        return self._attributes[owner]

    @cached_property
    def globals(self) -> dict[str, list[ast.expr]]:
        """What module-level statements assign to each name."""
        found: dict[str, list[ast.expr]] = {}
        for node in _module_level(self.tree.body):
            match node:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        if isinstance(target, ast.Name):
                            found.setdefault(target.id, []).append(value)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    found.setdefault(name, []).append(value)
                case _:
                    pass
        return found

    @cached_property
    def imports(self) -> dict[str, str]:
        """The full name that each imported name stands for, as `{"cp": "copy.deepcopy"}`."""
        return _imported(self.parents)

    @cached_property
    def _by_first_line(self) -> dict[int, list[ast.AST]]:
        found: dict[int, list[ast.AST]] = {}
        for node in self.parents:
            for line in range(
                getattr(node, "lineno", 0), (getattr(node, "end_lineno", 0) or 0) + 1
            ):
                if isinstance(node, ast.expr) or line == getattr(node, "lineno", 0):
                    found.setdefault(line, []).append(node)
        return found

    def at_line(self, line: int) -> list[ast.AST]:
        """Expressions that lie on a line, and statements that begin there."""
        return self._by_first_line.get(line, [])

    def function_at(self, line: int) -> FunctionSource | None:
        """The innermost function around a line."""
        around = [f for f in self.functions if f.first_line <= line <= f.last_line]
        return min(around, key=lambda f: f.last_line - f.first_line, default=None)

    def _walk(self) -> None:
        stack: list[tuple[ast.AST, str, ast.ClassDef | None]] = [(self.tree, "", None)]
        while stack:
            node, prefix, owner = stack.pop()
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
                if isinstance(child, FUNCTIONS):
                    name = f"{prefix}{child.name}"
                    self.functions.append(FunctionSource(name, child, self, owner))
                    stack.append((child, f"{name}.<locals>.", None))
                elif isinstance(child, ast.ClassDef):
                    stack.append((child, f"{prefix}{child.name}.", child))
                else:
                    stack.append((child, prefix, owner))
        self.functions.sort(key=lambda f: f.first_line)


def _imported(nodes: Iterable[ast.AST]) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in nodes:
        match node:
            case ast.Import(names=names):
                for a in names:
                    top = a.name.partition(".")[0]
                    found[a.asname or top] = a.name if a.asname else top
            case ast.ImportFrom(module=module, names=names):
                for a in names:
                    found[a.asname or a.name] = f"{module or ''}.{a.name}"
            case _:
                pass
    return found


def _is_entered_once(loop: Loop, child: ast.AST) -> bool:
    match loop:
        case ast.For() | ast.AsyncFor():
            return child is loop.iter or child in loop.orelse
        case ast.While():
            return child in loop.orelse
        case _:
            return False


def _within(function: FunctionNode) -> Iterator[ast.AST]:
    stack: list[ast.AST] = list(reversed(function.body))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))


def _module_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            yield from _module_level(node.body)
