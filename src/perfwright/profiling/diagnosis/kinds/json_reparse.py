"""The same document is parsed more than once."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import (
    claim,
    is_asked_again,
    is_called_often,
    matters,
    readable,
    same_object,
)
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.giving import given_again
from perfwright.profiling.diagnosis.introduction import is_introduced
from perfwright.profiling.diagnosis.kinds.repeated_library_call import few_values, is_parser
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import (
    calls,
    derived_from_input,
    dotted,
    is_invariant,
    method,
    paths,
    text,
)

FRESH = {"read", "recv", "readline", "getresponse", "get", "pop", "receive", "urlopen"}
MOST = 0.8  # of the calls of the parser
PARSERS = ("json.loads", "json.load", "orjson.loads", "ujson.loads", "simplejson.loads")


def find(run: Run) -> Iterator[Claim]:
    """Yield calls of a JSON parser whose argument is the same at each execution."""
    parses = _parses(run)
    for place, source, node in parses:
        samples = place.charged_on(node, *_opened(node, source))
        if not matters(place, samples, part=0.25):
            continue
        reason = _same_again(place, source, node=node) or _parsed_elsewhere(
            parses, place, node=node
        )
        if reason:
            yield claim(
                place,
                BottleneckKind.JSON_REPARSE,
                samples=samples,
                confidence=0.8,
                evidence=f"{text(node)} parses {reason}",
                nodes=[node],
            )


def _parses(run: Run) -> list[tuple[Place, FunctionSource, ast.Call]]:
    return [
        (place, source, node)
        for place, source in readable(run)
        for node in calls(source, *PARSERS)
        if node.args
    ]


def _same_again(place: Place, source: FunctionSource, *, node: ast.Call) -> str:
    argument = node.args[0]
    if any(is_invariant(argument, loop) for loop in source.loops_around(node)):
        return "the same text in each turn of a loop"
    if not is_called_often(place):
        return ""
    used = _origins(argument, source)
    if few := _few_texts(place):
        return few
    if any(isinstance(n, ast.Call) and method(n) in FRESH for n in ast.walk(argument)):
        return ""
    for name in sorted(used & source.parameters):
        caller = given_again(place, source, parameter=name)
        if caller is not None and used == {name}:
            return f"the same text in each turn of a loop of {caller.name}"
    if isinstance(argument, ast.Name) and place.run.equal(place.function, argument.id):
        return "few different texts, again and again"
    of_object = bool(used) and all(p.startswith("self.") for p in used)
    if of_object and (is_asked_again(place, source) or _is_read_again(place, source)):
        return "what the same object keeps, for each of several questions"
    if any(place.run.differs(place.function, name) for name in _givers(used, source)):
        return ""
    if any(path.startswith("self.") for path in used) and not same_object(place, source):
        return ""
    if not any(path.partition(".")[0] in derived_from_input(source) for path in used):
        return "at each call what does not depend on the arguments"
    if all("." in path and path.partition(".")[0] in source.parameters for path in used):
        return "an attribute that the object keeps, at each call"
    return ""


def _is_read_again(place: Place, source: FunctionSource) -> bool:
    """Whether a caller reads it several times of one object, as `event.data` in two places."""
    run = place.run
    for caller, samples in run.callers_of(place):
        around = run.source(caller)
        if around is None or run.seconds(samples) < MOST * place.cumulative_s:
            return False
        paths_of = Counter(
            dotted(node.value)
            for node in around.nodes
            if isinstance(node, ast.Attribute) and node.attr == source.node.name
        )
        del paths_of[""]
        times = run.callers[place.function][caller] if place.function in run.callers else 0
        often = not times or times >= 1.5 * run.called.get(caller, 0)
        return often and any(count > 1 for count in paths_of.values())
    return False


def _few_texts(place: Place) -> str:
    """How often it parsed how many different texts, where nearly all parsing is its own."""
    run = place.run
    for function, seen in run.arguments.items():
        mine = run.callers[function][place.function] if function in run.callers else 0
        if not (is_parser(function) and few_values(run, function)):
            continue
        looks = run.occasions(function)
        samples = [
            n for n in place.charged if any(s.function == function for s in run.samples[n].foreign)
        ]
        if mine >= MOST * run.called.get(function, 0) and is_introduced(
            run, samples, of=function, distinct=seen.distinct, occasions=looks
        ):
            return f"{seen.distinct} different texts in {looks} of {mine} calls that were looked at"
    return ""


def _opened(node: ast.Call, source: FunctionSource) -> Iterator[ast.AST]:
    """What opens the file that is parsed: the end of a `with` is seen at its first line."""
    names = paths(node.args[0])
    for item in source.nodes:
        if isinstance(item, ast.withitem) and getattr(item.optional_vars, "id", "") in names:
            yield item.context_expr


def _givers(used: set[str], source: FunctionSource) -> set[str]:
    """The arguments, `self` included, that these paths begin with."""
    return {path.partition(".")[0] for path in used} & (source.parameters | {"self"})


def _origins(node: ast.expr, source: FunctionSource) -> set[str]:
    """What the argument reads, a file opened by `with open(path) as f` taken as its path."""
    used = paths(node)
    for item in source.nodes:
        match item:
            case ast.withitem(context_expr=value, optional_vars=ast.Name(id=name)) if name in used:
                used = (used - {name}) | paths(value)
    return used - {"open", "json"}


def _parsed_elsewhere(
    parses: list[tuple[Place, FunctionSource, ast.Call]], place: Place, *, node: ast.Call
) -> str:
    """Whether other functions parse an argument of the same name, of one caller each."""
    own = ast.unparse(node.args[0]).rpartition(".")[2]
    others = {
        other.function.name
        for other, _, call in parses
        if other is not place and ast.unparse(call.args[0]).rpartition(".")[2] == own
    }
    return f"what {', '.join(sorted(others))} parse too" if others else ""


_TEXT = """
    import json
    class Settings:
        def get(self, key):
            return json.loads(self.raw)[key]
    def start(settings):
        for key in KEYS:
            settings.get(key)
    def read(rows):
        for row in rows:
            yield json.loads(row)
"""
RULE = KindRule(
    id="json-reparse",
    kind=BottleneckKind.JSON_REPARSE,
    title="Parse the document once and keep the result",
    why="Parsing builds every object of the document anew.",
    limits="Whether two texts are equal is read from the source, not from the texts.",
    find=find,
    fires_on=example(
        _TEXT, ("settings.get(key)", "json.loads(self.raw)", ("json/decoder.py", "decode"))
    ),
    silent_on=example(_TEXT, ("json.loads(row)", ("json/decoder.py", "decode"))),
)
