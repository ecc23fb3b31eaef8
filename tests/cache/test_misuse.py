"""What a caller may get wrong, and values that no shared tier can hold."""

from __future__ import annotations

import asyncio

import pytest

from perfwright.cache import AdvancedCache, MsgpackSerializer
from perfwright.core import ConfigError, UncacheableValueError


def test_a_text_for_tags_is_refused_when_set() -> None:
    with pytest.raises(ConfigError, match="tags"):
        asyncio.run(AdvancedCache().set("a", 1, tags="users"))


def test_a_text_for_tags_is_refused_when_brought() -> None:
    with pytest.raises(ConfigError, match="tags"):
        asyncio.run(AdvancedCache().get_or_set("a", lambda: 1, tags="users"))


def test_a_text_for_keys_is_refused() -> None:
    with pytest.raises(ConfigError, match="keys"):
        asyncio.run(AdvancedCache().get_many("abc"))


@pytest.mark.parametrize("value", ["a\ud800", {"deep": ["a\ud800"]}], ids=["text", "nested"])
def test_text_that_cannot_be_encoded_is_uncacheable(value: object) -> None:
    with pytest.raises(UncacheableValueError, match="UTF-8"):
        MsgpackSerializer().dumps(value)
