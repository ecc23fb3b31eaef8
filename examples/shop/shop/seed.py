"""Fill a database with the same shop every time; needs the standard library only."""

import argparse
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from shop import history, stock
from shop.schema import INDEXES, TABLES

Progress = Callable[[str, int], None]


def seed(path: str | Path, *, scale: float = 1.0, progress: Progress | None = None) -> int:
    """Write a fresh shop to `path`, replacing what was there, and return its number of rows.

    Args:
        path: The SQLite file; it appears under this name only when it is complete.
        scale: 1.0 makes about 200,000 rows; categories, brands and coupons do not shrink with it.
        progress: Told each table and its number of rows when the table is done.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(partial, isolation_level=None)) as connection:
        # A half-written file is thrown away, so there is nothing that a journal could save.
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        connection.executescript(TABLES)
        connection.execute("BEGIN")
        rows = _fill(connection, scale=scale, progress=progress)
        connection.executescript(INDEXES)
        connection.commit()
    for suffix in ("-journal", "-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    partial.replace(target)
    return rows


def _fill(connection: sqlite3.Connection, *, scale: float, progress: Progress | None) -> int:
    """Insert all tables, parents first."""
    total = 0
    shelves = stock.make_stock(scale=scale)
    past = history.make_history(shelves.products, scale=scale)
    for table, rows in (shelves.tables | past).items():
        _insert(connection, table=table, rows=rows)
        total += len(rows)
        if progress is not None:
            progress(table, len(rows))
    return total


def _insert(
    connection: sqlite3.Connection, *, table: str, rows: Sequence[tuple[object, ...]]
) -> None:
    marks = ", ".join("?" * len(rows[0]))
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m shop.seed", description=__doc__)
    parser.add_argument("path", type=Path, help="the SQLite file to write")
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 is about 200,000 rows")
    options = parser.parse_args(arguments)
    total = seed(
        options.path,
        scale=options.scale,
        progress=lambda table, rows: print(f"{table:<18} {rows:>8,}"),
    )
    print(f"{'total':<18} {total:>8,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
