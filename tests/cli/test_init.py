"""What init infers from the environment, and what it never writes down."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

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
