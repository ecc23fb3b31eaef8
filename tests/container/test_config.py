"""`perfwright.toml` and `[tool.perfwright]`: refused with the field that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfwright.container import Config, load_config
from perfwright.core import ConfigError


def load(folder: Path, text: str, *, name: str = "perfwright.toml") -> Config:
    (folder / name).write_text(text, encoding="utf-8")
    return load_config(folder)


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    assert load_config(tmp_path) == Config()


def test_a_setting_is_read(tmp_path: Path) -> None:
    config = load(tmp_path, '[database]\nurl = "sqlite:///shop.db"\n')
    assert config.database.url == "sqlite:///shop.db"


def test_the_projects_own_file_is_read_too(tmp_path: Path) -> None:
    text = '[tool.perfwright.database]\nworkload = "w.sql"\n'
    assert load(tmp_path, text, name="pyproject.toml").database.workload == "w.sql"


def test_a_project_that_does_not_mention_perfwright_has_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "[tool.ruff]\nline-length = 90\n", name="pyproject.toml") == Config()


def test_the_file_of_its_own_goes_before_the_projects(tmp_path: Path) -> None:
    load(tmp_path, '[tool.perfwright.database]\nurl = "b"\n', name="pyproject.toml")
    assert load(tmp_path, '[database]\nurl = "a"\n').database.url == "a"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[database]\nurll = 'x'\n", "urll"),
        ("[databases]\nurl = 'x'\n", "databases"),
        ("[database]\nurl = 5\n", "$.database.url"),
        ("[quality]\nmetrics = 'p95<1s'\n", "$.quality.metrics"),
        ("database = 5\n", "$.database"),
        ("[database\n", "is not TOML"),
    ],
)
def test_a_mistake_is_refused_by_its_name(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"perfwright\.toml") as caught:
        load(tmp_path, text)
    assert says in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "perfwright.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_config(tmp_path)


@pytest.mark.parametrize("text", ["tool = 5\n", "[tool]\nperfwright = 5\n"])
def test_a_project_file_of_an_odd_shape_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pyproject\.toml"):
        load(tmp_path, text, name="pyproject.toml")
