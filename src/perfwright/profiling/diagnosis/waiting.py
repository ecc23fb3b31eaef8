"""Which samples of a waiting thread are waits, and which only a machine that is too busy."""

from __future__ import annotations

import ast

from perfwright.profiling.diagnosis.landing import QUICK
from perfwright.profiling.diagnosis.samples import is_file, simple
from perfwright.profiling.diagnosis.source import ModuleSource
from perfwright.profiling.diagnosis.syntax import method
from perfwright.profiling.model import Frame, Stack

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
    ]
)


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


def can_wait(leaf: Frame, *, library: bool, module: ModuleSource | None) -> bool:
    """Whether the innermost frame may stand still, rather than lack a processor."""
    if library:
        parts = leaf.function.file.replace("\\", "/").rpartition("/lib/python")[2].split("/")
        inner = parts[1:] if len(parts) > 1 else parts
        if "site-packages" in parts or "dist-packages" in parts or not inner:
            return True
        return inner[0].removesuffix(".py") in BLOCKING
    if module is None:
        return True
    return any(_may_block(node) for node in module.at_line(leaf.line))


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
