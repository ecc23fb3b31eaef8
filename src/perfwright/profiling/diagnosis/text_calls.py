"""Who calls whom as the text has it, of all own functions at once."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from perfwright.profiling.diagnosis.source import MAKERS, FunctionSource

if TYPE_CHECKING:
    from perfwright.profiling.diagnosis.run import Run


class TextCalls:
    """Calls by name; where calls were counted, only those that happened.

    A call `shop.add(...)` is one of every own function `add`, as nobody knows what `shop` is.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._known: dict[FunctionSource, list[FunctionSource]] = {}
        self._order = {source: number for number, source in enumerate(run.functions)}
        self._by_name: dict[str, list[FunctionSource]] = defaultdict(list)
        for source in run.functions:
            self._by_name[_called_as(source)].append(source)

    def below(self, source: FunctionSource) -> list[FunctionSource]:
        """Functions that it calls, and makers of the classes that it makes."""
        known = self._known.get(source)
        if known is None:
            known = self._known[source] = self._below(source)
        return known

    def around(self, sources: Iterable[FunctionSource]) -> list[FunctionSource]:
        """Functions that call one of these, or make its class, in the order of their files."""
        wanted = set(sources)
        names = {_called_as(source) for source in wanted}
        return [
            other
            for other in self._run.functions
            if not names.isdisjoint(other.called_names) and not wanted.isdisjoint(self.below(other))
        ]

    def _below(self, source: FunctionSource) -> list[FunctionSource]:
        function = source.function
        named = (f for name in source.called_names for f in self._by_name.get(name, ()))
        found = []
        for other in sorted(named, key=self._order.__getitem__):
            counted = self._run.callers.get(other.function)
            # A coroutine is counted as called by the loop that resumes it.
            seen = function in counted if counted else True
            if other is not source and (seen or isinstance(other.node, ast.AsyncFunctionDef)):
                found.append(other)
        return found


def _called_as(source: FunctionSource) -> str:
    """The name that a call has in the text: a maker goes by that of its class."""
    is_maker = source.node.name in MAKERS and source.owner is not None
    return source.owner.name if is_maker and source.owner else source.node.name
