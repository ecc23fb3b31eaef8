"""Which samples of a standing thread cost the run something.

Some are of a machine that is too busy, some of threads that others keep waiting, and some of
threads with nothing to do.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterable

from perfwright.profiling.diagnosis.housekeeping import housekeepers
from perfwright.profiling.diagnosis.landing import QUICK
from perfwright.profiling.diagnosis.samples import is_file, simple
from perfwright.profiling.diagnosis.source import ModuleSource
from perfwright.profiling.diagnosis.syntax import method
from perfwright.profiling.model import Frame, Function, Stack

# Parts of the standard library in which a thread can wait for something outside of it.
BLOCKING = (
    "asyncio", "bz2", "concurrent", "contextlib", "dbm", "fileinput", "ftplib", "getpass",
    "gzip", "http", "imaplib", "io", "_pyio", "linecache", "logging", "lzma", "mailbox",
    "multiprocessing", "os", "pathlib", "poplib", "pty", "queue", "sched", "selectors", "shelve",
    "shutil", "signal", "smtplib", "socket", "socketserver", "sqlite3", "ssl", "subprocess",
    "tarfile", "tempfile", "threading", "urllib", "weakref", "xmlrpc", "zipfile", "zipimport",
)  # fmt: skip
COMPUTING = QUICK | frozenset(
    [
        "sorted",
        "sum",
        "zip",
        "map",
        "filter",
        "list",
        "dict",
        "set",
        "tuple",
        "join",
        "split",
        "strip",
        "replace",
        "lower",
        "upper",
        "extend",
        "setdefault",
        "round",
        "pow",
        "divmod",
        "sort",
        "reverse",
        "any",
        "all",
        "index",
        "count",
        "format",
        "repr",
        "randrange",
        "random",
        "choice",
        "find",
        "rfind",
        "rstrip",
        "lstrip",
        "copy",
        "match",
        "search",
        "sub",
        "findall",
        "sqrt",
        "hexdigest",
        "encode",
        "decode",
        "reversed",
        "print",
        "setattr",
        "hasattr",
        "compress",  # lets go of the interpreter, which another thread then has: no wait
        "decompress",
        "crc32",
        "md5",
        "sha1",
        "sha256",
        "sha512",
        "digest",
        "dumps",
        "loads",
    ]
)


STARVED = 0.4  # of the time at a place that computes: what is not spent computing lacks a processor
# Waiting for work or for other threads, whose own stacks carry the cost: (file's end, function).
STANDS_BY = {
    ("threading.py", "join"),
    ("threading.py", "_wait_for_tstate_lock"),
    ("threading.py", "_shutdown"),
    ("selectors.py", "select"),
    ("queue.py", "get"),
    ("concurrent/futures/_base.py", "result"),
    ("concurrent/futures/_base.py", "wait"),
    ("concurrent/futures/_base.py", "as_completed"),
    ("concurrent/futures/_base.py", "result_iterator"),
    ("concurrent/futures/thread.py", "shutdown"),
    ("socketserver.py", "serve_forever"),
    ("socket.py", "accept"),
}
IDLE_STATES = {"idle", "awaiting"}


class Standstill:
    """Tells the waits that cost from those that do not."""

    def __init__(
        self,
        stacks: Iterable[Stack],
        *,
        owns: Callable[[Function], bool],
        module: Callable[[str], ModuleSource | None],
    ) -> None:
        self._owns, self._module = owns, module
        self._computing: dict[Frame, float] = defaultdict(float)
        self._standing: dict[Frame, float] = defaultdict(float)
        threads: dict[str, list[Stack]] = {}
        for stack in stacks:
            if not stack.frames:
                continue
            threads.setdefault(stack.thread, []).append(stack)
            seen = self._computing if stack.state == "running" else self._standing
            seen[stack.frames[-1]] += stack.wall_s
        self._housekeepers = housekeepers(threads, owns=owns, module=module)

    def costs(self, stack: Stack) -> bool:
        """Whether the run would have been shorter without it, or a thread was running."""
        if stack.state == "running":
            return True
        if stands_by(stack) or self._waits_for_others(stack):
            return False
        if stack.state != "waiting":
            return True
        return stack.thread not in self._housekeepers and self.can_wait(stack.frames[-1])

    def _waits_for_others(self, stack: Stack) -> bool:
        """Whether own code waits, for as long as it takes, for what another thread will say."""
        leaf = stack.frames[-1].function
        if stack.state != "waiting" or not is_file(leaf.file, "threading.py"):
            return False
        own = next((f for f in reversed(stack.frames) if self._owns(f.function)), None)
        module = self._module(own.function.file) if own else None
        return (
            own is not None
            and module is not None
            and any(
                isinstance(node, ast.Call) and method(node) == "wait" and _has_no_limit(node)
                for node in module.at_line(own.line)
            )
        )

    def can_wait(self, leaf: Frame) -> bool:
        """Whether the innermost frame may stand still, rather than lack a processor."""
        computing_s = self._computing.get(leaf, 0.0)
        if computing_s > STARVED * (computing_s + self._standing.get(leaf, 0.0)):
            return False
        if not self._owns(leaf.function):
            return may_block(leaf)
        module = self._module(leaf.function.file)
        return module is None or any(_may_block(node) for node in module.at_line(leaf.line))


def _has_no_limit(wait: ast.Call) -> bool:
    return not wait.args and not any(keyword.arg == "timeout" for keyword in wait.keywords)


def may_block(leaf: Frame) -> bool:
    """Whether a function of a library is one in which a thread can wait."""
    parts = leaf.function.file.replace("\\", "/").rpartition("/lib/python")[2].split("/")
    inner = parts[1:] if len(parts) > 1 else parts
    if "site-packages" in parts or "dist-packages" in parts or not inner:
        return True
    return inner[0].removesuffix(".py") in BLOCKING


def _may_block(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return method(node) not in COMPUTING
    return isinstance(node, ast.With | ast.Import | ast.ImportFrom)


def stands_by(stack: Stack) -> bool:
    """Whether a thread had nothing to do, or others do what it waits for."""
    if _waits_for_child(stack):  # which looks idle, as it reads in a selector, and is work
        return stack.state == "awaiting"
    if stack.state in IDLE_STATES:
        return True
    return stack.state == "waiting" and any(
        is_file(frame.function.file, file) and simple(frame.function) == name
        for frame in stack.frames[-4:]
        for file, name in STANDS_BY
    )


def _waits_for_child(stack: Stack) -> bool:
    return any(is_file(frame.function.file, "subprocess.py") for frame in stack.frames[-6:])
