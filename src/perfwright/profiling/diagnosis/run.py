"""A profile with its costs charged to the code that the user can change, ready to be judged."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import pairwise

from perfwright.profiling.diagnosis.own import OwnCode
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.samples import Sample, Step, is_file, simple
from perfwright.profiling.diagnosis.skid import back_edge, settled
from perfwright.profiling.diagnosis.source import FunctionSource, ModuleSource
from perfwright.profiling.diagnosis.text_calls import TextCalls
from perfwright.profiling.diagnosis.waiting import Standstill
from perfwright.profiling.model import Frame, Function, Profile, Stack

MODULE = "<module>"
QUICK_PART = 0.2  # of a function's counted time
MIN_OCCASIONS = 8  # looks at arguments
FEW = 0.3  # different ones of them
_IO = re.compile(
    r"_?io\.open$|_io\.(TextIOWrapper|Buffered\w+|FileIO|_IOBase)\.|_?socket\.|_ssl\.|_?sqlite3\."
    r"|(posix|nt)\.(\w*stat|open|close|p?read|p?write|listdir|scandir|unlink|remove|rename|replace"
    r"|mkdir|rmdir|f(data)?sync|access|utime|f?truncate|fcntl)$"
)
_FOLDED = re.compile(r"(\.<locals>)?\.?<(listcomp|setcomp|dictcomp|genexpr|lambda)>$")


class Run:
    """A profile, indexed: samples by own function and line, calls by caller."""

    def __init__(self, profile: Profile, *, own: OwnCode | None = None) -> None:
        self.profile = profile
        self.own = own or OwnCode()
        self.modules: dict[str, ModuleSource | None] = {}
        self._canonical: dict[Function, Function] = {}
        self.samples: list[Sample] = []
        self.set_aside: list[Sample] = []
        """Of threads that stood while others did what they waited for, or had nothing to do."""
        self.standstill = Standstill(profile.stacks, owns=self.own.owns, module=self.module)
        self._places: dict[Function, Place] = {}
        for stack in profile.stacks:
            self._add(stack)
        self.pure: dict[Function, bool] = {}
        """What `purity` found out, as it is asked again and again."""
        self.called: Counter[Function] = Counter()
        self.edges: Counter[tuple[Function | None, str]] = Counter()
        self.callers: dict[Function, Counter[Function]] = defaultdict(Counter)
        self._counted_s: dict[Function, float] = defaultdict(float)
        self._callee_s: dict[tuple[Function, str], float] = defaultdict(float)
        self._io_s: dict[Function, float] = defaultdict(float)
        self._by_name: Counter[tuple[Function, str]] = Counter()
        self._count()
        self.samples = settled(self)
        self._index()
        self.arguments = {self.canonical(a.function): a for a in profile.arguments}

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Own functions with any cost, costliest first; module level left out."""
        return tuple(
            sorted(
                (p for p in self._places.values() if p.function.name != MODULE),
                key=lambda p: (-p.self_s, -p.cumulative_s, p.function.name),
            )
        )

    @cached_property
    def module_places(self) -> tuple[Place, ...]:
        """Module-level code with any cost."""
        found = (p for p in self._places.values() if p.function.name == MODULE)
        return tuple(sorted(found, key=lambda p: -p.self_s))

    @cached_property
    def functions(self) -> tuple[FunctionSource, ...]:
        """Every own function whose text is known, called or not."""
        files = (file for file in self.profile.sources if self.own.owns_file(file))
        modules = filter(None, map(self.module, files))
        return tuple(function for module in modules for function in module.functions)

    @cached_property
    def text_calls(self) -> TextCalls:
        """Who calls whom as the text has it."""
        return TextCalls(self)

    @cached_property
    def total_s(self) -> float:
        """Time of threads that worked or waited for something; of an event loop, its whole run."""
        busy_s = sum(sample.seconds for sample in self.samples)
        loops = self.profile.asyncio
        awaited = loops is not None and bool(loops.sites or loops.sequences or loops.blocks)
        return max(busy_s, self.profile.wall_s) if awaited else busy_s

    def share(self, numbers: Iterable[int]) -> float:
        """Part of the cost of the run, 0 to 1."""
        return self.seconds(numbers) / self.total_s if self.total_s else 0.0

    def seconds(self, numbers: Iterable[int]) -> float:
        """Time of these samples."""
        return sum(self.samples[number].seconds for number in numbers)

    def place(self, function: Function) -> Place | None:
        """What is known of an own function; None if it cost nothing."""
        return self._places.get(self.canonical(function))

    def ensure(self, function: Function) -> Place:
        """The same, made if it cost no time: memory and awaits have costs of their own."""
        function = self.canonical(function)
        if function not in self._places:
            self._places[function] = Place(function, self.source(function), self)
        return self._places[function]

    def source(self, function: Function) -> FunctionSource | None:
        """The text of a function, if it was given."""
        module = self.module(function.file)
        return module.by_line.get(function.line) if module else None

    def module(self, file: str) -> ModuleSource | None:
        """The text of a file, if it was given and can be read."""
        if file not in self.modules:
            text = self.profile.sources.get(file)
            self.modules[file] = ModuleSource.parse(text, file=file) if text else None
        return self.modules[file]

    def nearest_own(self, frames: Iterable[Frame]) -> tuple[Function, int] | None:
        """Innermost own function of a stack, and its line."""
        for frame in reversed(tuple(frames)):
            if self.own.owns(frame.function):
                return self.canonical(frame.function), frame.line
        return None

    def goes(self, number: int, function: Function, *, lines: range, callee: str) -> bool:
        """Whether a sample goes from these lines of `function` straight into an own `callee`."""
        steps = self.samples[number].steps
        return any(
            a.function == function and a.line in lines and b.own and simple(b.function) == callee
            for a, b in pairwise(steps)
        )

    def in_library(self, number: int, file_end: str, *, names: tuple[str, ...] = ()) -> bool:
        """Whether what the sample's charged code called is in such a file, and such a function."""
        return any(
            is_file(step.function.file, file_end) and (not names or simple(step.function) in names)
            for step in self.samples[number].foreign
        )

    def canonical(self, function: Function) -> Function:
        """The enclosing `def` for comprehensions and lambdas, with its qualified name."""
        known = self._canonical.get(function)
        if known is None:
            known = self._canonical[function] = self._settle(function)
        return known

    def _settle(self, function: Function) -> Function:
        if not self.own.owns(function):
            return function
        module = self.module(function.file)
        if module is None:
            return Function(function.file, function.line, _FOLDED.sub("", function.name) or MODULE)
        source = module.by_line.get(function.line)
        if source is None or simple(function) != source.node.name:
            if simple(function) == MODULE:
                return function
            source = module.function_at(function.line)
        if source is None:
            return Function(function.file, 1, MODULE)
        return Function(function.file, source.first_line, source.name)

    def _add(self, stack: Stack) -> None:
        if not stack.frames:
            return
        steps: list[Step] = []
        for frame in stack.frames:
            own = self.own.owns(frame.function)
            function = self.canonical(frame.function)
            # A comprehension is a frame of its own before 3.12; its line says more than the outer.
            if steps and own and function == steps[-1].function and _is_folded(frame.function):
                steps.pop()
            steps.append(Step(function, frame.line, own))
        near = max((i for i, step in enumerate(steps) if step.own), default=-1)
        if near < 0 and (stack.state == "waiting" or stack.thread.startswith("perfwright")):
            return
        if near == len(steps) - 1 > 0 and steps[-2].own and self._has_just_begun(steps[-1]):
            steps.pop()  # what the caller did last could not be interrupted before this call
            near -= 1
        seen = self.samples if self.standstill.costs(stack) else self.set_aside
        seen.append(
            Sample(tuple(steps), near, _cost_s(stack), stack.state, stack.thread, stack.samples)
        )

    def _index(self) -> None:
        for number, sample in enumerate(self.samples):
            for i, step in enumerate(sample.steps):
                if not step.own:
                    continue
                place = self.ensure(step.function)
                line = step.line
                if i == len(sample.steps) - 1 and place.source is not None:
                    line = back_edge(place.source, line)
                place.through[line].add(number)
                if i == sample.near:
                    place.at[line].add(number)

    def _has_just_begun(self, step: Step) -> bool:
        source = self.source(step.function)
        return (
            source is not None
            and step.line in {source.first_line, source.node.lineno}
            and source.node.body[0].lineno > step.line
            and back_edge(source, step.line) == step.line
        )

    def _count(self) -> None:
        for call in self.profile.calls:
            callee = self.canonical(call.callee)
            caller = self.canonical(call.caller) if call.caller else None
            if not _is_folded(call.callee):  # else each turn of a generator were a call
                self.called[callee] += call.count
                if caller is not None and caller != callee:
                    self.callers[callee][caller] += call.count
            self.edges[caller, c_name(call.callee)] += call.count
            if caller is not None:
                self._by_name[caller, c_name(call.callee).rpartition(".")[2]] += call.count
            if not _is_folded(call.callee):
                self._counted_s[callee] += call.self_s
            if caller is not None and caller != callee and not self.own.owns(callee):
                self._counted_s[caller] += call.cumulative_s
                name = c_name(call.callee).rpartition(".")[2]
                self._callee_s[caller, name] += call.cumulative_s
                if call.callee.file == "~" and _IO.match(c_name(call.callee)):
                    self._io_s[caller] += call.cumulative_s

    def counted(self, function: Function, name: str) -> int:
        """How many of its calls of something by this last part of a name were counted."""
        return self._by_name[function, name]

    def seconds_each_call(self, function: Function, name: str) -> float | None:
        """Counted time of one call of what is not own by this name; None if there is none."""
        took_s, count = self._callee_s.get((function, name)), self._by_name[function, name]
        return took_s / count if took_s and count else None

    def counted_part(self, function: Function, *, beside: Function) -> float:
        """What of the counted time of two functions, without own ones they call, is the first's."""
        mine_s, other_s = self._counted_s.get(function, 0.0), self._counted_s.get(beside, 0.0)
        return mine_s / (mine_s + other_s) if mine_s else 0.0

    def io_part(self, function: Function) -> float:
        """Part of a function's counted time, without own functions, in files and sockets."""
        whole_s = self._counted_s.get(function, 0.0)
        return self._io_s[function] / whole_s if whole_s else 0.0

    def is_quick(self, function: Function, name: str) -> bool:
        """Whether calls were counted, and what a function calls by this name took little of it."""
        took_s, whole_s = self._callee_s.get((function, name)), self._counted_s.get(function, 0.0)
        return took_s is not None and took_s < QUICK_PART * whole_s

    def equal(self, function: Function, *names: str) -> bool:
        """Whether looks at the arguments found these few in number while the calls were many."""
        parts = [self.different_part(function, name) for name in names]
        return bool(parts) and all(part is not None and part <= FEW for part in parts)

    def differs(self, function: Function, name: str) -> bool:
        """Whether looks at an argument found another one most of the time."""
        part = self.different_part(function, name)
        return part is not None and part > FEW

    def different_part(self, function: Function, name: str) -> float | None:
        """How many different ones were seen for each look, 0 to 1; None after too few looks."""
        seen = self.arguments.get(function)
        looks = self.occasions(function)
        distinct = dict(seen.each).get(name) if seen is not None else None
        return distinct / looks if distinct is not None and looks >= MIN_OCCASIONS else None

    def occasions(self, function: Function) -> int:
        """Calls whose arguments were looked at."""
        seen = self.arguments.get(function)
        return min(seen.looks, self.called.get(function, seen.looks)) if seen is not None else 0

    def callees_of(self, place: Place) -> Iterator[tuple[Function, frozenset[int]]]:
        """Own functions that it called directly, with the samples that went there."""
        found: dict[Function, set[int]] = defaultdict(set)
        for number in place.passed - place.charged:
            owners = [step.function for step in self.samples[number].steps if step.own]
            inner = len(owners) - owners[::-1].index(place.function)
            if inner < len(owners):
                found[owners[inner]].add(number)
        for function, numbers in found.items():
            yield function, frozenset(numbers)

    def callers_of(self, place: Place) -> Iterator[tuple[Function, frozenset[int]]]:
        """Own functions that called it, with the samples that came from there, costliest first."""
        found: dict[Function, set[int]] = defaultdict(set)
        for number in place.passed:
            owners = [step.function for step in self.samples[number].steps if step.own]
            before = owners.index(place.function) - 1
            if before >= 0:
                found[owners[before]].add(number)
        for function in sorted(found, key=lambda f: -self.seconds(found[f])):
            yield function, frozenset(found[function])


def c_name(function: Function) -> str:
    """`list.pop`, `sorted`, `time.sleep` for C functions; the qualified name of others."""
    if function.file != "~":
        return function.name
    found = re.match(r"<method '(\w+)' of '([\w.]+)' objects>", function.name)
    if found:
        return f"{found[2]}.{found[1]}"
    found = re.match(r"<built-in method ([\w.]+)>", function.name)
    return (found[1] if found else function.name).removeprefix("builtins.")


def _is_folded(function: Function) -> bool:
    return _FOLDED.search(function.name) is not None


def _cost_s(stack: Stack) -> float:
    # While a thread runs, its CPU clock tells its own time from that of others on the machine.
    return stack.cpu_s if stack.state == "running" and stack.cpu_s > 0 else stack.wall_s
