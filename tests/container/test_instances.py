"""One object of each kind, built when it is first asked for."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from perfwright.cache import AdvancedCache
from perfwright.container import Container, container
from perfwright.container import instances as module
from perfwright.container.config import Config
from perfwright.core import ConfigError
from tests.test_imports import modules_after

ENV = {"OPENAI_API_KEY": "k"}


def test_an_object_is_built_once() -> None:
    own = Container(environment=ENV)
    assert own.advanced_cache is own.advanced_cache
    assert own.optimized_llm_provider is own.optimized_llm_provider


def test_threads_that_ask_at_once_get_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    own, threads = Container(environment={}), 8
    together, built, got = threading.Barrier(threads), [], []

    def load(_: Path) -> Config:
        built.append(threading.get_ident())
        return Config()

    def ask() -> None:
        together.wait()
        got.append(own.config)

    monkeypatch.setattr("perfwright.container.config.load_config", load)
    crew = [threading.Thread(target=ask) for _ in range(threads)]
    for each in crew:
        each.start()
    for each in crew:
        each.join()
    assert (len(built), len(got), len({id(each) for each in got})) == (1, threads, 1)


def test_an_override_is_handed_out_until_its_block_ends() -> None:
    own, fake = Container(environment=ENV), AdvancedCache()
    real = own.advanced_cache
    with own.override(advanced_cache=fake):
        assert own.advanced_cache is fake
    assert own.advanced_cache is real


def test_blocks_that_overlap_end_each_its_own_override() -> None:
    own, first, second = Container(environment=ENV), AdvancedCache(), AdvancedCache()
    real = own.advanced_cache
    one, other = own.override(advanced_cache=first), own.override(advanced_cache=second)
    one.__enter__()
    other.__enter__()
    assert own.advanced_cache is second
    one.__exit__(None, None, None)
    assert own.advanced_cache is second
    other.__exit__(None, None, None)
    assert own.advanced_cache is real


def test_an_override_of_something_unknown_is_refused() -> None:
    with (
        pytest.raises(ConfigError, match="optimized_llm_provider"),
        Container().override(advancedcache=1),
    ):
        pass


def test_after_a_reset_the_configuration_is_read_again(tmp_path: Path) -> None:
    own = Container(folder=tmp_path, environment={})
    assert own.config.llm.model is None
    (tmp_path / "perfwright.toml").write_text('[llm]\nmodel = "m"\n')
    assert own.config.llm.model is None
    own.reset()
    assert own.config.llm.model == "m"


def test_the_adapter_and_the_container_share_one_cache() -> None:
    async def entries() -> int:
        own = Container(environment=ENV)
        await own.advanced_cache.set("a", 1)
        size: int = own.optimized_llm_provider.get_stats()["cache_size"]
        await own.aclose()
        return size

    assert asyncio.run(entries()) == 1


def test_what_was_closed_is_built_anew() -> None:
    async def close() -> tuple[int, int]:
        own = Container(environment=ENV)
        first = id(own.optimized_llm_provider), own.advanced_cache
        await own.aclose()
        kept = first[1]
        return id(kept), id(own.advanced_cache)

    before, after = asyncio.run(close())
    assert before != after


def test_without_an_endpoint_the_error_says_what_to_set() -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        _ = Container(environment={}).optimized_llm_provider


def test_the_container_is_cheap_to_import() -> None:
    loaded = modules_after("from perfwright.container import container")
    heavy = {"aiohttp", "sqlalchemy", "sqlglot", "msgspec", "perfwright.llm", "perfwright.cache"}
    assert loaded & heavy == set()


def test_the_process_has_one_container() -> None:
    assert container is module.container
