"""Which samples of a waiting thread are waits, and which only a machine that is too busy."""

from __future__ import annotations

import ast

from perfwright.profiling.diagnosis.landing import QUICK
from perfwright.profiling.diagnosis.source import ModuleSource
from perfwright.profiling.diagnosis.syntax import method
from perfwright.profiling.model import Frame

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
        "items",
        "values",
        "keys",
        "setdefault",
        "round",
        "pow",
        "divmod",
        "ord",
        "chr",
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
        "type",
        "print",
        "getattr",
        "setattr",
        "hasattr",
    ]
)


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
