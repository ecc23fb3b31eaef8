"""What init and doctor see of language models; never a key's value."""

from __future__ import annotations

import json
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calling import Caller
from tests.system.shops import make_shop

VARIABLES = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "OPENAI_BASE_URL",
    "ANTHROPIC_BASE_URL",
    "PERFWRIGHT_LLM_BASE_URL",
)


@pytest.fixture(autouse=True)
def a_shop_and_no_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_shop(tmp_path / "shop.db", rows=20)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as held:
        yield held.getsockname()[1]


def checks(perfwright: Caller) -> dict[str, dict[str, Any]]:
    done = perfwright("doctor", "--json")
    assert "geheim" not in done.out + done.err
    return {check["name"]: check for check in json.loads(done.out)["checks"]}


# init


def test_a_project_without_language_models_gets_no_section(perfwright: Caller) -> None:
    assert "llm" not in tomllib.loads(perfwright("init").out)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("requirements.txt", "openai>=3\n", "requirements.txt names openai"),
        ("pyproject.toml", 'dependencies = ["anthropic"]\n', "pyproject.toml names anthropic"),
        ("package.json", '{"@anthropic-ai/sdk": "1"}', "package.json names @anthropic-ai/sdk"),
        (".env", "OPENAI_API_KEY=geheim\n", "OPENAI_API_KEY is in .env"),
    ],
)
def test_a_project_that_calls_language_models_gets_a_section(
    name: str, text: str, says: str, perfwright: Caller, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    done = perfwright("init")
    assert tomllib.loads(done.out)["llm"] == {}
    assert f"# {says}" in done.out
    assert "geheim" not in done.out + done.err


@pytest.mark.parametrize("text", ["openai-clip\n", "my-openai\n", "pyopenai==1\n"])
def test_a_package_of_a_similar_name_is_no_sign(
    text: str, perfwright: Caller, tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").write_text(text, encoding="utf-8")
    assert "[llm]" not in perfwright("init").out


def test_a_key_is_named_and_its_value_never_shown(
    perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "geheim")
    done = perfwright("init")
    assert "# ANTHROPIC_API_KEY is set" in done.out
    assert "geheim" not in done.out + done.err


# doctor


def test_an_endpoint_that_answers_is_found(
    perfwright: Caller, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "geheim")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{listening}/v1")
    found = checks(perfwright)
    assert found["LLM endpoint"]["ok"]
    assert found["LLM key"]["found"] == "OPENAI_API_KEY"
    assert found["aiohttp"]["ok"]


def test_an_endpoint_that_does_not_answer_is_named(
    perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERFWRIGHT_LLM_BASE_URL", "http://127.0.0.1:1/v1")
    check = checks(perfwright)["LLM endpoint"]
    assert not check["ok"]
    assert "http://127.0.0.1:1/v1 cannot be reached" in check["found"]


def test_every_endpoint_of_the_file_is_tried(
    perfwright: Caller, listening: int, tmp_path: Path
) -> None:
    text = (
        f'[[llm.endpoints]]\nname = "up"\nbase_url = "http://127.0.0.1:{listening}/v1"\n'
        '[[llm.endpoints]]\nname = "down"\nbase_url = "http://127.0.0.1:1/v1"\n'
    )
    (tmp_path / "perfwright.toml").write_text(text, encoding="utf-8")
    found = checks(perfwright)
    assert found["LLM endpoint up"]["ok"]
    assert not found["LLM endpoint down"]["ok"]


def test_a_missing_key_of_the_file_is_said(perfwright: Caller, tmp_path: Path) -> None:
    text = '[llm]\nbase_url = "http://127.0.0.1:1/v1"\napi_key_env = "MINE"\n'
    (tmp_path / "perfwright.toml").write_text(text, encoding="utf-8")
    assert "MINE" in checks(perfwright)["LLM endpoint"]["found"]


def test_without_any_endpoint_nothing_is_tried(perfwright: Caller) -> None:
    assert "LLM endpoint" not in checks(perfwright)
