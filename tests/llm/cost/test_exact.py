"""Exact counts by tiktoken: with its tables at hand, and never by fetching them."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from perfwright.llm.cost import TokenEstimator
from perfwright.llm.cost import exact as module
from tests.llm.cost.calls import ask

TABLE = b"the table"
NAME = hashlib.sha1(b"https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken")


class Words:
    """Stands for an encoding: a token is a word."""

    def encode_ordinary(self, text: str) -> list[str]:
        return text.split()


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiktoken that knows gpt-4o, and fails where it would have to fetch."""
    package, models = ModuleType("tiktoken"), ModuleType("tiktoken.model")

    def encoding_name_for_model(name: str) -> str:
        return {"gpt-4o": "o200k_base", "gpt-2": "gpt2"}[name]

    def get_encoding(name: str) -> Words:
        assert (tmp_path / NAME.hexdigest()).exists(), f"{name} would be fetched"
        return Words()

    package.model = models  # type: ignore[attr-defined]
    package.get_encoding = get_encoding  # type: ignore[attr-defined]
    models.encoding_name_for_model = encoding_name_for_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tiktoken", package)
    monkeypatch.setitem(sys.modules, "tiktoken.model", models)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setitem(module._SHA256, "o200k_base", hashlib.sha256(TABLE).hexdigest())
    module._counter.cache_clear()
    return tmp_path / NAME.hexdigest()


def test_a_table_that_is_here_counts_exactly(tables: Path) -> None:
    tables.write_bytes(TABLE)
    request = ask("one two three", model="openai/gpt-4o-2024-08-06")
    assert TokenEstimator(exact=True).prompt(request) == 3 + 7


@pytest.mark.parametrize("content", [None, b"cut of"])
def test_a_table_that_is_missing_or_damaged_is_not_fetched(
    tables: Path, content: bytes | None
) -> None:
    if content is not None:
        tables.write_bytes(content)
    request = ask("one two three", model="gpt-4o")
    assert TokenEstimator(exact=True).prompt(request) == TokenEstimator().prompt(request)


@pytest.mark.parametrize("model", ["gpt-2", "claude-sonnet-4-5", ""])
def test_a_model_of_which_no_table_is_known_is_estimated(tables: Path, model: str) -> None:
    tables.write_bytes(TABLE)
    request = ask("one two three", model=model)
    assert TokenEstimator(exact=True).prompt(request) == TokenEstimator().prompt(request)


def test_without_tiktoken_texts_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    assert module.exact_counter("gpt-4o") is None
