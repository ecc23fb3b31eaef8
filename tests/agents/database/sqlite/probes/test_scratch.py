"""Copies of a target that may be in use, damaged, or too large."""

from __future__ import annotations

import shutil
import sqlite3
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import pytest

from perfwright.agents.database.sqlite.probes import scratch
from perfwright.agents.database.sqlite.probes.scratch import copy_target
from perfwright.core import BusyTargetError, SystemClock, TargetError, UnreadableTargetError
from tests.agents.database.sqlite_databases import logical_state, make_shop


def copy(source: Path, target: Path) -> None:
    copy_target(source, target, clock=SystemClock(), name="the shop")


def test_a_copy_holds_everything(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop.db")
    before = shop.read_bytes()
    copy(shop, tmp_path / "copy.db")
    assert logical_state(tmp_path / "copy.db") == logical_state(shop)
    assert shop.read_bytes() == before


def test_a_wal_that_is_not_written_back_is_copied_too(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop.db")
    with closing(sqlite3.connect(shop)) as writer:
        writer.execute("pragma journal_mode=wal")
        writer.execute("insert into log values (99999, 'new', 'row')")
        writer.commit()
        copy(shop, tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as reader:
        assert reader.execute("select kind from log where id = 99999").fetchone() == ("new",)


def test_a_locked_database_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "BUSY_TIMEOUT_S", 0.1)
    monkeypatch.setattr("perfwright.agents.database.sqlite.probes.connection.BUSY_TIMEOUT_S", 0.1)
    shop = make_shop(tmp_path / "shop.db")
    with closing(sqlite3.connect(shop, isolation_level=None)) as other:
        other.execute("begin exclusive")
        with pytest.raises(BusyTargetError, match="holds a lock"):
            copy(shop, tmp_path / "copy.db")


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop.db")
    content = bytearray(shop.read_bytes())
    content[8192:16384] = b"\xa5" * 8192
    shop.write_bytes(content)
    with pytest.raises(UnreadableTargetError, match="damaged"):
        copy(shop, tmp_path / "copy.db")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"SQLite format 3\0" + b"nonsense" * 500)
    with pytest.raises(UnreadableTargetError):
        copy(tmp_path / "x.db", tmp_path / "copy.db")


def test_a_full_disk_is_noticed_before_copying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 90, 10))
    shop = make_shop(tmp_path / "shop.db")
    with pytest.raises(TargetError, match="copies need"):
        copy(shop, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
