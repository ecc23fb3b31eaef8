"""Targets: what a user may point perfwright at, and what is refused."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from perfwright.core import (
    TargetKind,
    UnknownTargetError,
    UnreadableTargetError,
    parse_target,
)


@pytest.fixture
def database(own_folder: Path) -> Path:
    path = own_folder / "my shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t(a)")
    return path


def test_a_sqlite_file_is_recognised_by_its_content(database: Path) -> None:
    target = parse_target(str(database))
    assert target.kind is TargetKind.SQLITE
    assert target.path == database


@pytest.mark.parametrize("prefix", ["sqlite:///", "sqlite3:///"])
def test_an_absolute_database_url_has_four_slashes(database: Path, prefix: str) -> None:
    assert parse_target(f"{prefix}{database}").path == database


def test_a_relative_database_url_has_three_slashes(database: Path) -> None:
    assert parse_target(f"sqlite:///{database.name}").path == Path(database.name)


def test_a_database_url_may_be_percent_encoded(database: Path) -> None:
    assert parse_target("sqlite:///my%20shop.db").path == Path(database.name)


def test_a_sqlite_target_is_named_by_a_url_that_reads_back(database: Path) -> None:
    target = parse_target(str(database))
    assert parse_target(str(target)) == target


def test_a_folder_is_a_target(own_folder: Path) -> None:
    target = parse_target(str(own_folder))
    assert target.kind is TargetKind.FOLDER
    assert str(target) == str(own_folder)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("postgresql://db.example/shop", TargetKind.POSTGRESQL),
        ("postgres://db.example/shop", TargetKind.POSTGRESQL),
        ("http://127.0.0.1:8000/", TargetKind.URL),
        ("https://shop.example/?page=2", TargetKind.URL),
    ],
)
def test_a_url_is_recognised_by_its_scheme(text: str, kind: TargetKind) -> None:
    target = parse_target(text)
    assert target.kind is kind
    assert target.location == text


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:s3cret@db.example/shop",
        "postgresql://db.example/shop?user=ann&password=s3cret",
        "postgresql://db.example/shop?sslpassword=s3cret&sslmode=require",
        "https://ann:s3cret@shop.example/",
    ],
)
def test_a_password_is_not_kept(text: str) -> None:
    target = parse_target(text)
    assert "s3cret" not in f"{target!r} {target}"
    assert "***" in target.location


def test_a_password_is_not_shown_when_the_scheme_is_unknown() -> None:
    with pytest.raises(UnknownTargetError, match="the kind mysql:// are not known") as caught:
        parse_target("mysql://ann:s3cret@db.example/shop")
    assert "s3cret" not in str(caught.value)


def test_a_broken_url_is_an_unknown_target() -> None:
    with pytest.raises(UnknownTargetError, match="is no URL") as caught:
        parse_target("http://ann:s3cret@[::1/")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["nothing.db", "sqlite:///nothing.db", "no/such"])
def test_a_missing_file_is_an_unknown_target(text: str) -> None:
    with pytest.raises(UnknownTargetError, match="there is no such file"):
        parse_target(text)


def test_asking_for_a_missing_file_does_not_create_it(own_folder: Path) -> None:
    with pytest.raises(UnknownTargetError):
        parse_target("sqlite:///nothing.db")
    assert list(own_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "command"),
    [("job.py", "perfwright.profiling {}"), ("4242424", "perfwright.profiling --pid 4242424")],
)
def test_a_python_program_is_sent_to_the_profiler(
    own_folder: Path, name: str, command: str
) -> None:
    (own_folder / "job.py").write_text("print('a program')")
    with pytest.raises((UnknownTargetError, UnreadableTargetError)) as caught:
        parse_target(name)
    assert command.format(name) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is empty"), (b"hello world, this is text", "is not a SQLite database")],
)
def test_a_file_that_is_no_database_is_unreadable(
    own_folder: Path, content: bytes, problem: str
) -> None:
    (own_folder / "x.db").write_bytes(content)
    with pytest.raises(UnreadableTargetError, match=problem):
        parse_target("x.db")


def test_a_folder_behind_a_database_url_is_unreadable(own_folder: Path) -> None:
    with pytest.raises(UnreadableTargetError, match="is not a file"):
        parse_target(f"sqlite:///{own_folder}")


def test_a_pipe_is_refused_instead_of_waited_for(own_folder: Path) -> None:
    os.mkfifo(own_folder / "pipe.db")
    with pytest.raises(UnreadableTargetError, match="is not a file"):
        parse_target("pipe.db")


def test_a_name_that_is_too_long_is_unreadable() -> None:
    with pytest.raises(UnreadableTargetError, match="File name too long"):
        parse_target("x" * 5000)


def test_a_file_that_cannot_be_opened_is_unreadable(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")  # root may read everything, so by hand

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableTargetError, match="Permission denied") as caught:
        parse_target(str(database))
    assert caught.value.remedy == "check its permissions"


def test_a_url_without_a_host_keeps_its_slashes() -> None:
    location = parse_target("postgresql:///shop?password=x").location
    assert location == "postgresql:///shop?password=***"
