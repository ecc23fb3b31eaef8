"""Connections and cursors that write down what they are asked.

They take the place of the names in sqlite3, so a program's own subclasses derive from them and
hand down the SQL that really runs (Django's cursors rewrite it first).
"""

# ruff: noqa: PLR0917 - `quietly` hands arguments on by place
# ruff: noqa: TID252 - the package goes by another name in the program

from __future__ import annotations

import _sqlite3
import atexit
import os
import sys
from time import perf_counter

from .guard import quietly
from .naming import name_database
from .recorder import Batch, Recorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from .recorder import Entry

_recorder = Recorder(os.environ)
_connect = _sqlite3.connect
_new_cursor = _sqlite3.Connection.cursor
_execute = _sqlite3.Cursor.execute
_executemany = _sqlite3.Cursor.executemany
_executescript = _sqlite3.Cursor.executescript
_fetchone = _sqlite3.Cursor.fetchone
_fetchmany = _sqlite3.Cursor.fetchmany
_fetchall = _sqlite3.Cursor.fetchall
_next = _sqlite3.Cursor.__next__
_close = _sqlite3.Cursor.close


class Cursor(_sqlite3.Cursor):
    # No docstring: this is `sqlite3.Cursor` to the program, and `help` shows that one's.
    # SQLite finds rows when they are fetched, so the entry stays open until the last one.
    _perfwright: Entry | None = None

    def execute(self, *args: Any) -> Cursor:
        if self._perfwright is not None:
            quietly(_finish, self)
        start = perf_counter()
        try:
            _execute(self, *args)
        except BaseException:
            quietly(_recorder.tally, "failed")
            raise
        quietly(_begin, self, args, perf_counter() - start)
        return self

    def executemany(self, *args: Any) -> Cursor:
        if self._perfwright is not None:
            quietly(_finish, self)
        batch = Batch()
        watched = quietly(batch.watch, args) or args
        start = perf_counter()
        try:
            _executemany(self, *watched)
        except BaseException:
            quietly(_recorder.tally, "failed")
            raise
        quietly(_add_batch, self, args, batch, perf_counter() - start)
        return self

    def executescript(self, *args: Any) -> Cursor:
        if self._perfwright is not None:
            quietly(_finish, self)
        start = perf_counter()
        try:
            _executescript(self, *args)
        except BaseException:
            quietly(_recorder.tally, "failed")
            raise
        quietly(_add_script, self, args, perf_counter() - start)
        return self

    def fetchone(self) -> Any:
        entry = self._perfwright
        if entry is None:
            return _fetchone(self)
        start = perf_counter()
        try:
            row = _fetchone(self)
        finally:
            entry.seconds += perf_counter() - start
        if row is None:
            quietly(_finish, self)
        return row

    def fetchmany(self, *args: Any, **kwargs: Any) -> list[Any]:
        entry = self._perfwright
        if entry is None:
            return _fetchmany(self, *args, **kwargs)
        start = perf_counter()
        try:
            rows = _fetchmany(self, *args, **kwargs)
        finally:
            entry.seconds += perf_counter() - start
        if not rows:
            quietly(_finish, self)
        return rows

    def fetchall(self) -> list[Any]:
        entry = self._perfwright
        if entry is None:
            return _fetchall(self)
        start = perf_counter()
        try:
            rows = _fetchall(self)
        finally:
            entry.seconds += perf_counter() - start
        quietly(_finish, self)
        return rows

    def __next__(self) -> Any:
        entry = self._perfwright
        if entry is None:
            return _next(self)
        start = perf_counter()
        try:
            row = _next(self)
        except StopIteration:
            entry.seconds += perf_counter() - start
            quietly(_finish, self)
            raise
        entry.seconds += perf_counter() - start
        return row

    def close(self) -> None:
        if self._perfwright is not None:
            quietly(_finish, self)
        _close(self)

    def __del__(self) -> None:
        if self._perfwright is not None:
            quietly(_finish, self)


class Connection(_sqlite3.Connection):
    # No docstring, for the same reason.
    _perfwright: str | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._perfwright = quietly(name_database, args, kwargs)

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        if not args and not kwargs:
            return _new_cursor(self, Cursor)
        chosen = quietly(_choose, (args, kwargs), 0, Cursor) or (args, kwargs)
        return _new_cursor(self, *chosen[0], **chosen[1])

    if sys.version_info >= (3, 11):  # noqa: UP036 - before, these ask `self.cursor()` themselves

        def execute(self, *args: Any) -> Any:
            return _new_cursor(self, Cursor).execute(*args)

        def executemany(self, *args: Any) -> Any:
            return _new_cursor(self, Cursor).executemany(*args)

        def executescript(self, *args: Any) -> Any:
            return _new_cursor(self, Cursor).executescript(*args)


def connect(*args: Any, **kwargs: Any) -> Any:
    chosen = quietly(_choose, (args, kwargs), 5, Connection) or (args, kwargs)
    return _connect(*chosen[0], **chosen[1])


def install(module: ModuleType) -> None:
    """Put the recording names in the place of the real ones."""
    connect.__doc__ = _connect.__doc__
    for kind in (Connection, Cursor):
        kind.__doc__ = kind.__base__.__doc__
        kind.__module__ = kind.__base__.__module__
    for package in (module, sys.modules.get("sqlite3")):
        if hasattr(package, "connect"):  # `sqlite3` is empty as yet, unless we came late
            for replacement in (Connection, Cursor, connect):
                setattr(package, replacement.__name__, replacement)
    os.register_at_fork(after_in_child=_after_fork)
    atexit.register(quietly, _recorder.close)


def _after_fork() -> None:
    quietly(_recorder.forget)


def _begin(cursor: Cursor, args: tuple[Any, ...], seconds: float) -> None:
    entry = _recorder.open(_database(cursor), args, seconds)
    if entry is None:
        return
    if cursor.description is None:  # no rows to come
        _recorder.finish(entry)
    else:
        cursor._perfwright = entry


def _finish(cursor: Cursor) -> None:
    entry, cursor._perfwright = cursor._perfwright, None
    if entry is not None:
        _recorder.finish(entry)


def _add_batch(cursor: Cursor, args: tuple[Any, ...], batch: Batch, seconds: float) -> None:
    _recorder.add_batch(_database(cursor), args[0], batch, seconds)


def _add_script(cursor: Cursor, args: tuple[Any, ...], seconds: float) -> None:
    _recorder.add_script(_database(cursor), args[0], seconds)


def _database(cursor: Cursor) -> str | None:
    name: str | None = getattr(cursor.connection, "_perfwright", None)
    return name


_made: dict[type, type] = {}


def _choose(call: Any, place: int, own: type) -> Any:
    """Return the arguments of `call` with a factory that records."""
    args, kwargs = call
    if len(args) > place:
        return (*args[:place], _recording(args[place], own), *args[place + 1 :]), kwargs
    return args, {**kwargs, "factory": _recording(kwargs.get("factory", own), own)}


def _recording(factory: Any, own: type) -> Any:
    """Return a class made from the real one before we came as one that records."""
    real: type = own.__bases__[0]
    if not isinstance(factory, type) or not issubclass(factory, real):
        return factory
    if issubclass(factory, own):
        return factory
    if factory is real:
        return own
    if factory not in _made:
        names = {"__module__": factory.__module__, "__doc__": factory.__doc__}
        _made[factory] = type(factory)(  # type: ignore[misc]  # any metaclass
            factory.__name__, (factory, own), names
        )
    return _made[factory]
