"""Targets and disks that fail: a clear error or a recorded partial result, the target untouched."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.commands import Finished, fingerprint, run
from tests.system.shops import LOOKUP, make_proven, make_shop, make_workload, write_lines

INDEX = "CREATE INDEX pw_customer ON orders(customer)"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop.db")


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    return make_workload(tmp_path / "w.jsonl")


def assert_failed(done: Finished, *says: str) -> None:
    """Check exit code 2 with a message that says one of these things."""
    assert done.code == 2, done
    assert any(part in done.err for part in says), done.err


def profile(target: Path, workload: Path, *, cwd: Path) -> Finished:
    return run("profile", target, "--workload", workload, cwd=cwd)


def test_a_target_with_flipped_bytes_is_refused(shop: Path, workload: Path, tmp_path: Path) -> None:
    data = bytearray(shop.read_bytes())
    for place in range(4096, len(data), 997):
        data[place] ^= 0xFF
    shop.write_bytes(data)
    before = fingerprint(shop)
    assert_failed(profile(shop, workload, cwd=tmp_path), "damaged", "malformed")
    assert fingerprint(shop) == before


def test_a_truncated_target_is_refused(shop: Path, workload: Path, tmp_path: Path) -> None:
    os.truncate(shop, shop.stat().st_size // 2)
    before = fingerprint(shop)
    assert_failed(profile(shop, workload, cwd=tmp_path), "damaged", "malformed")
    assert fingerprint(shop) == before


def test_a_target_with_a_broken_schema_is_refused(
    shop: Path, workload: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(shop)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE orders(((' ")
        connection.commit()
    assert_failed(profile(shop, workload, cwd=tmp_path), "damaged", "malformed")


def test_a_locked_target_is_not_examined_for_ever(
    shop: Path, workload: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(shop)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert_failed(profile(shop, workload, cwd=tmp_path), "holds a lock")


def test_a_statement_that_fails_does_not_stop_the_others(shop: Path, tmp_path: Path) -> None:
    entries: list[dict[str, object]] = [
        {"sql": "SELECT * FROM nowhere"},
        {"sql": "SELECT this is no SQL"},
        {"sql": LOOKUP, "params": [7], "count": 20},
    ]
    workload = write_lines(tmp_path / "w.jsonl", entries)
    done = run("profile", shop, "--workload", workload, "--json", cwd=tmp_path)
    assert done.code == 0
    assert done.document["findings"]
    assert "nowhere" in done.out


def test_a_huge_statement_is_survived(shop: Path, tmp_path: Path) -> None:
    huge = f"SELECT id FROM orders WHERE customer IN ({','.join(map(str, range(5_000)))})"
    entries: list[dict[str, object]] = [{"sql": huge}, {"sql": LOOKUP, "params": [1]}]
    workload = write_lines(tmp_path / "w.jsonl", entries)
    assert run("profile", shop, "--workload", workload, "--json", cwd=tmp_path).code == 0


@pytest.mark.parametrize("script", ["PRAGMA user_version=1", "CREATE VIEW only AS SELECT 1 AS one"])
def test_a_database_without_tables_has_no_findings(script: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "bare.db")) as connection:
        connection.execute(script)
    done = run("profile", "bare.db", "--json", cwd=tmp_path)
    assert (done.code, done.document["findings"]) == (0, [])


# Disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("may not mount a file system here; RLIMIT_FSIZE stands in for it below")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def remount_read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)


def test_a_target_on_a_read_only_disk_can_be_examined(
    small_disk: Path, workload: Path, tmp_path: Path
) -> None:
    target = make_shop(small_disk / "shop.db")
    remount_read_only(small_disk)
    assert profile(target, workload, cwd=tmp_path).code == 0


def test_a_target_on_a_read_only_disk_is_not_changed(small_disk: Path, tmp_path: Path) -> None:
    target = make_shop(small_disk / "shop.db")
    make_proven(tmp_path, target, INDEX)
    remount_read_only(small_disk)
    assert_failed(run("apply", "last", "--yes", cwd=tmp_path), "readonly", "read-only")
    (change,) = run("ledger", "--json", cwd=tmp_path).document["changes"]
    assert change["state"] == "failed"


def test_a_ledger_on_a_read_only_disk_is_refused(
    small_disk: Path, shop: Path, workload: Path, tmp_path: Path
) -> None:
    remount_read_only(small_disk)
    place = ("--ledger", small_disk / "ledger.db")
    done = run("profile", shop, "--workload", workload, *place, cwd=tmp_path)
    assert_failed(done, "ledger")


def test_a_full_disk_under_the_ledger_is_an_error(
    small_disk: Path, shop: Path, workload: Path, tmp_path: Path
) -> None:
    before = fingerprint(shop)
    (small_disk / "filler").write_bytes(bytes(2**20 - 4096))
    place = ("--ledger", small_disk / "ledger.db")
    done = run("profile", shop, "--workload", workload, *place, cwd=tmp_path)
    assert_failed(done, "full", "No space", "I/O")
    assert fingerprint(shop) == before


def test_a_full_disk_under_the_copies_is_a_recorded_failure(
    small_disk: Path, shop: Path, workload: Path, tmp_path: Path
) -> None:
    make_proven(small_disk, shop, INDEX)
    room = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes((room.f_bavail - 12) * room.f_bsize))
    place = ("--ledger", small_disk / ".perfwright" / "ledger.db")
    done = run("profile", shop, "--workload", workload, *place, cwd=tmp_path)
    assert_failed(done, "full", "copies need", "No space")


def test_a_full_disk_under_the_target_leaves_it_as_it_was(small_disk: Path, tmp_path: Path) -> None:
    target = make_shop(small_disk / "shop.db", rows=4_000)
    make_proven(tmp_path, target, "CREATE INDEX pw_note ON orders(note)")
    room = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes((room.f_bavail - 8) * room.f_bsize))
    before = fingerprint(target)
    assert_failed(run("apply", "last", "--yes", cwd=tmp_path), "full")
    (small_disk / "filler").unlink()
    assert fingerprint(target) == before


def short_files() -> None:
    """Let no file of this process grow past 100 kB: what a quota does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_file_size_limit_is_an_error(workload: Path, tmp_path: Path) -> None:
    target = make_shop(tmp_path / "large.db", rows=4_000)
    done = run("profile", target, "--workload", workload, cwd=tmp_path, before=short_files)
    assert done.code == 2
