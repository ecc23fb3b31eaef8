"""What init infers from the environment, and what it never writes down."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from perfwright.cli.dotenv import read_dotenv
from perfwright.cli.init_command import server_url
from perfwright.container import load_config
from tests.cli.calling import Caller
from tests.system.shops import make_shop


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("postgresql://me@db.example/shop", "postgresql://me@db.example/shop"),
        ("postgres://db.example:5433/shop", "postgresql://db.example:5433/shop"),
        ("postgresql+psycopg://me@h/shop", "postgresql://me@h/shop"),
        ("postgresql://me:geheim@h/shop", "postgresql://me@h/shop"),
        ("postgresql://me:a%40b@h/shop", "postgresql://me@h/shop"),
        ("postgresql://h/shop?password=geheim&sslmode=require", "postgresql://h/shop?sslmode=require"),
        (" postgresql:///shop?host=/run/pg ", "postgresql:///shop?host=/run/pg"),
        ("mysql://me@h/shop", None),
        ("sqlite:///shop.db", None),
        ("postgresql://[::1/shop", None),
        ("", None),
        ("shop", None),
    ],
)  # fmt: skip
def test_the_environment_names_a_server_without_its_password(
    given: str, written: str | None
) -> None:
    assert server_url({"DATABASE_URL": given}) == written


def test_a_url_in_the_environment_is_proposed(
    perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me@db.example/shop")
    done = perfwright("init")
    assert done.code == 0
    assert tomllib.loads(done.out)["database"] == {"url": "postgresql://me@db.example/shop"}


@pytest.mark.parametrize(
    "url", ["postgresql://me:geheim@h/shop", "postgresql://me@h/shop?password=geheim"]
)
def test_a_password_is_never_written(
    url: str, perfwright: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    done = perfwright("init", "--yes")
    assert done.code == 0
    assert "geheim" not in done.out + done.err
    assert "geheim" not in (tmp_path / "perfwright.toml").read_text(encoding="utf-8")
    assert "PGPASSWORD" in done.err


def test_what_is_written_can_be_read_again(
    perfwright: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", 'postgresql://me:x@h/sh"op')
    assert perfwright("init", "--yes").code == 0
    assert load_config(tmp_path).database.url == 'postgresql://me@h/sh"op'


def test_a_server_goes_before_a_file(
    perfwright: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_shop(tmp_path / "shop.db", rows=20)
    monkeypatch.setenv("DATABASE_URL", "postgresql://me@h/shop")
    done = perfwright("init")
    assert tomllib.loads(done.out)["database"]["url"] == "postgresql://me@h/shop"
    assert "# also found: shop.db" in done.out


def test_another_kind_of_server_is_not_proposed(
    perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://me@h/shop")
    done = perfwright("init")
    assert done.code == 2
    assert "DATABASE_URL" in done.err
    assert "mysql" not in done.out


# A .env file


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("DATABASE_URL=postgresql://me@h/shop", "postgresql://me@h/shop"),
        ("export DATABASE_URL=postgresql://me@h/shop", "postgresql://me@h/shop"),
        ("  DATABASE_URL = postgresql://me@h/shop  ", "postgresql://me@h/shop"),
        ('DATABASE_URL="postgresql://me@h/shop"', "postgresql://me@h/shop"),
        ("DATABASE_URL='postgresql://me@h/shop'", "postgresql://me@h/shop"),
        ("DATABASE_URL='postgresql://me@h/a b' # ours", "postgresql://me@h/a b"),
        ("DATABASE_URL=postgresql://me@h/shop # ours", "postgresql://me@h/shop"),
        ("DATABASE_URL=postgresql://me:a#b@h/shop", "postgresql://me:a#b@h/shop"),
        ('DATABASE_URL="postgresql://me:a\\"b@h/shop"', 'postgresql://me:a"b@h/shop'),
        ("DATABASE_URL=postgresql://me@h/shop?a=b", "postgresql://me@h/shop?a=b"),
        ("DATABASE_URL=", ""),
        ("# DATABASE_URL=postgresql://me@h/shop", None),
        ("DATABASE_URL", None),
        ("MY_DATABASE_URL=postgresql://me@h/shop", None),
        ("DATABASE_URL='never closed", None),
        ("", None),
    ],
)
def test_a_line_of_a_dotenv_file_is_read(line: str, value: str | None) -> None:
    assert read_dotenv(f"A=1\n{line}\nB=2\n").get("DATABASE_URL") == value


def test_the_last_word_of_a_dotenv_file_counts() -> None:
    assert read_dotenv("A=1\r\nA=2\r\n") == {"A": "2"}


def test_a_url_in_a_dotenv_file_is_proposed_with_its_place(
    perfwright: Caller, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("export DATABASE_URL='postgresql://me:geheim@h/shop'\n")
    done = perfwright("init", "--yes")
    assert done.code == 0
    assert load_config(tmp_path).database.url == "postgresql://me@h/shop"
    assert "# DATABASE_URL of .env" in done.out
    assert "The password in DATABASE_URL of .env is not written down" in done.err
    assert "geheim" not in done.out + done.err


def test_the_environment_goes_before_a_dotenv_file(
    perfwright: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://file@h/shop\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://environment@h/shop")
    done = perfwright("init")
    assert tomllib.loads(done.out)["database"]["url"] == "postgresql://environment@h/shop"
    assert ".env" not in done.out


def test_a_dotenv_file_of_the_named_folder_is_read(perfwright: Caller, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".env").write_text("DATABASE_URL=postgresql://me@h/shop\n")
    assert tomllib.loads(perfwright("init", "sub").out)["database"]["url"] == (
        "postgresql://me@h/shop"
    )


@pytest.mark.parametrize("content", [b"\xff\xfe", b"PASSWORD=geheim\nnonsense\n", None])
def test_a_dotenv_file_that_tells_nothing_is_passed_over(
    content: bytes | None, perfwright: Caller, tmp_path: Path
) -> None:
    make_shop(tmp_path / "shop.db", rows=20)
    if content is None:
        (tmp_path / ".env").mkdir()
    else:
        (tmp_path / ".env").write_bytes(content)
    done = perfwright("init")
    assert done.code == 0
    assert "geheim" not in done.out + done.err
    assert tomllib.loads(done.out)["database"]["url"] == "sqlite:///shop.db"
