"""Many small reads, writes or openings of files where few large ones would do."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import claim, is_repeated, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.likely_types import type_of
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.samples import Sample
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import callee, dotted, heads, method, text
from perfwright.profiling.diagnosis.traversal import loop_variables

METHODS = {
    "commit", "exists", "flush", "fsync", "is_dir", "is_file", "open", "read", "read_bytes",
    "read_text", "readline", "recv", "send", "sendall", "stat", "touch", "unlink", "write",
    "write_bytes", "write_text",
}  # fmt: skip
FUNCTIONS = {
    "open", "os.open", "os.read", "os.write", "os.fsync", "os.stat", "os.path.exists",
    "os.path.getsize", "os.path.isfile", "os.path.getmtime", "os.listdir", "io.open", "gzip.open",
    "os.remove", "os.rename", "os.replace", "os.path.isdir", "os.makedirs", "shutil.copy",
}  # fmt: skip
WHOLE = {"open", "read", "read_text", "read_bytes"}
ONLY_FILES = {
    "exists", "fsync", "is_dir", "is_file", "read_bytes", "read_text", "recv", "sendall", "stat",
    "unlink", "write_bytes", "write_text",
}  # fmt: skip
"""What hardly anything but files, paths and sockets is asked to do."""
ONE_SHOT = {"read_bytes", "read_text", "write_bytes", "write_text"}
BESIDES = {"seek", "tell"}
IN_MEMORY = {"buffer", "list", "str", "bytes", "dict", "set"}
MIN_IO = 0.3  # of counted time


def find(run: Run) -> Iterator[Claim]:
    """Yield file and socket operations that are done once for each small piece."""
    for place, source in readable(run):
        nodes = [
            node
            for node in source.nodes
            if isinstance(node, ast.Call)
            and is_repeated(place, node)
            and _is_io(node, place=place, source=source)
        ]
        if _reads_whole(source, nodes) and not run.equal(place.function, *source.parameters):
            continue  # each call reads another file at once
        nodes += _besides(source, nodes)
        # What is opened in a `with` is also closed, so flushed, on its line.
        samples = place.charged_on(*nodes, *_read_loops(source, nodes))
        if nodes and matters(place, samples, part=0.4):
            hot = sorted(nodes, key=lambda n: -run.seconds(place.charged_on(n)))
            yield claim(
                place,
                BottleneckKind.SMALL_IO,
                samples=samples,
                confidence=0.75,
                evidence=f"`{text(hot[0])}` reads, writes or opens{_times(place, hot[0])} "
                "for each small piece",
                nodes=hot[:3],
            )


def _times(place: Place, node: ast.Call) -> str:
    """How often it was called, as counted."""
    count = place.run.counted(place.function, method(node))
    return f" {count:,} times," if count else ""


def _besides(source: FunctionSource, nodes: list[ast.Call]) -> list[ast.Call]:
    """Where a file that is read or written piece by piece is also set to, or asked for, a place."""
    files = {dotted(node.func.value) for node in nodes if isinstance(node.func, ast.Attribute)}
    return [
        node
        for node in source.nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in BESIDES
        and dotted(node.func.value) in files - {""}
    ]


def _reads_whole(source: FunctionSource, nodes: list[ast.Call]) -> bool:
    """Whether, without a loop, files are opened and read with one call."""
    if any(source.loops_around(node) for node in nodes):
        return False
    return all(
        callee(node, of=source).rpartition(".")[2] in WHOLE
        and not (isinstance(node.func, ast.Attribute) and node.func.attr == "read" and node.args)
        and not _is_written(node)
        for node in nodes
    )


def _is_written(node: ast.Call) -> bool:
    """Whether a file is opened with a mode other than reading."""
    mode = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "mode")]
    return any(not isinstance(m, ast.Constant) or set(str(m.value)) & set("wax+") for m in mode)


def _read_loops(source: FunctionSource, nodes: list[ast.Call]) -> Iterator[ast.AST]:
    """What loops over the lines of a file that is opened there go through."""
    opened = {
        item.optional_vars.id
        for item in source.nodes
        if isinstance(item, ast.withitem)
        and item.context_expr in nodes
        and isinstance(item.optional_vars, ast.Name)
    }
    for node in source.nodes:
        over = node.iter if isinstance(node, ast.For | ast.comprehension) else None
        if over is not None and heads(over) & opened:
            yield over


def _is_io(node: ast.Call, *, place: Place, source: FunctionSource) -> bool:
    """Whether a call reads or writes a file or a socket, and no buffer in memory."""
    if callee(node, of=source) in FUNCTIONS:
        return True
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in METHODS:
        return False
    receiver, name = node.func.value, node.func.attr
    if name in ONE_SHOT and heads(receiver) == _elements(node, source) & {dotted(receiver)}:
        return False  # another file in each turn, at once
    if type_of(receiver, of=source) in IN_MEMORY or place.into(node, name):
        return False
    samples = place.charged_on(node)
    if place.calls is not None:
        real = [n for n in samples if _is_real(place, place.run.samples[n])]
        return place.run.seconds(real) >= MIN_IO * place.run.seconds(samples) > 0
    waits = any(place.run.samples[n].state == "waiting" for n in samples)
    return waits or name in ONLY_FILES or _is_opened_here(receiver, source)


def _elements(node: ast.AST, source: FunctionSource) -> set[str]:
    return {name for loop in source.loops_around(node) for name in loop_variables(loop)}


def _is_real(place: Place, sample: Sample) -> bool:
    """Whether what was executed is known, by counted times, to spend them in files and sockets."""
    inner = sample.steps[-1].function if sample.foreign else place.function
    return place.run.io_part(inner) >= MIN_IO


def _is_opened_here(receiver: ast.expr, source: FunctionSource) -> bool:
    """Whether the text opens it: `with open(path) as out`, `self.out = open(path)`."""
    path = dotted(receiver)
    values = [*source.assigned.get(path, ()), *source.attributes.values.get(path, ())]
    values += [
        item.context_expr
        for item in source.nodes
        if isinstance(item, ast.withitem)
        and item.optional_vars is not None
        and dotted(item.optional_vars) == path
    ]
    return any(
        isinstance(v, ast.Call)
        and (callee(v, of=source) in {*FUNCTIONS, "socket.socket"} or method(v) == "open")
        for v in values
    )


_TEXT = """
    def record(events, path):
        for event in events:
            with open(path, "a") as out:
                out.write(event)
    def load(path):
        with open(path) as source:
            return source.read()
"""
RULE = KindRule(
    id="small-io",
    kind=BottleneckKind.SMALL_IO,
    title="Open once, and read or write in large pieces",
    why="Each call into the operating system costs more than copying a page of text.",
    limits="Files that must be opened one by one look the same.",
    find=find,
    fires_on=example(_TEXT, ("open(path, ",)),
    silent_on=example(_TEXT, ("open(path) as",)),
)
