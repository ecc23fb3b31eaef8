"""Runs a program with the recorder in it and keeps what it recorded."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from perfwright.agents.database.recording import launching
from perfwright.agents.database.recording.merging import Merger, Recording
from perfwright.core import ConfigError

DEFAULT_LIMIT = 200_000
_HOOK = Path(__file__).with_name("hook")
_PRIVATE = 0o600  # parameters can be personal data


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOptions:
    """Where to and how much."""

    out: Path
    append: bool = False
    force: bool = False
    """Overwrite a file that holds something."""
    limit: int = DEFAULT_LIMIT
    with_values: bool = True
    """False: statements without parameters and literals."""
    database: str | None = None
    """Record this one only: a path, or `:memory:`."""


def record(argv: Sequence[str], *, options: RecordOptions, environ: Mapping[str, str]) -> Recording:
    """Run a command and write the statements that it and its children run through sqlite3.

    Args:
        argv: The command.
        options: Where to write, and how much.
        environ: The environment that the command is given, but for the recorder's variables.

    Raises:
        ConfigError: If the command cannot be started, or the file cannot be written or holds
            something that nobody said to add to or to overwrite: before the command runs, or if
            the disk fills while it does.
    """
    launching.check_command(argv)
    with (
        launching.held_signals() as mask,
        _writable(options) as descriptor,
        TemporaryDirectory(prefix="perfwright-record-", ignore_cleanup_errors=True) as folder,
    ):
        inner = _environment(environ, options=options, folder=folder)
        exit_code = launching.run(argv, environ=inner, mask=mask)
        try:
            return _keep(Path(folder), descriptor, options=options, exit_code=exit_code)
        except OSError as error:
            raise _unwritable(options.out, error) from None


def _environment(
    environ: Mapping[str, str], *, options: RecordOptions, folder: str
) -> dict[str, str]:
    # An empty entry would mean the current folder.
    paths = [str(_HOOK), *filter(None, [environ.get("PYTHONPATH")])]
    database = options.database or ""
    if database and not database.startswith(":"):
        database = os.path.realpath(database)
    return {
        **environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PERFWRIGHT_RECORD_DIR": folder,
        "PERFWRIGHT_RECORD_LIMIT": str(options.limit),
        "PERFWRIGHT_RECORD_VALUES": "1" if options.with_values else "0",
        "PERFWRIGHT_RECORD_DB": database,
    }


def _keep(folder: Path, descriptor: int, *, options: RecordOptions, exit_code: int) -> Recording:
    merger = Merger(limit=options.limit, with_values=options.with_values)
    lines = merger.lines(sorted(folder.glob("*.jsonl")))
    first = next(lines, None)
    if first is not None:  # else an older recording stays as it is
        _make_room(descriptor, options=options)
        with open(
            descriptor, "w", encoding="ascii", closefd=False
        ) as out:  # not by name: the program may have moved it
            out.write(first)
            out.writelines(lines)
    shapes, counted = merger.count_shapes()
    errors = _read(folder / "errors").splitlines()
    return Recording(
        out=options.out,
        exit_code=exit_code,
        statements=merger.statements,
        shapes=shapes,
        shapes_counted=counted,
        databases=tuple(merger.databases.most_common()),
        failed=merger.tallies["failed"],
        elsewhere=merger.tallies["elsewhere"],
        over_limit=merger.tallies["over"],
        torn=merger.torn,
        errors=len(errors),
        first_error=errors[0] if errors else "",
        saw_python=(folder / "python").exists(),
        saw_sqlite3=(folder / "sqlite3").exists(),
    )


@contextmanager
def _writable(options: RecordOptions) -> Iterator[int]:
    """Yield a descriptor of the file; a file that is new is removed again if it stays empty.

    Raises:
        ConfigError: If it cannot be written, or must not be.
    """
    path = options.out
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    new = not path.exists()
    try:
        descriptor = os.open(path, flags, _PRIVATE)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        _check_overwriting(descriptor, options=options)
        yield descriptor
    finally:
        if new and os.fstat(descriptor).st_size == 0:
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _check_overwriting(descriptor: int, *, options: RecordOptions) -> None:
    state = os.fstat(descriptor)
    if options.append or options.force or not stat.S_ISREG(state.st_mode) or not state.st_size:
        return
    raise ConfigError(
        field="--out",
        value=str(options.out),
        problem="is not empty; --append adds to it, --force overwrites it",
    )


def _make_room(descriptor: int, *, options: RecordOptions) -> None:
    """Empty the file, or see that what is in it ends with a line."""
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode):
        return
    if not options.append:
        os.ftruncate(descriptor, 0)
        with suppress(PermissionError):  # the file is another user's
            os.fchmod(descriptor, _PRIVATE)
    elif state.st_size and os.pread(descriptor, 1, state.st_size - 1) != b"\n":
        os.write(descriptor, b"\n")


def _unwritable(path: Path, error: OSError) -> ConfigError:
    problem = f"cannot be written ({error.strerror or error})"
    if error.errno == errno.ENOENT:
        problem = "cannot be written, its folder does not exist"
    return ConfigError(field="--out", value=str(path), problem=problem)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
