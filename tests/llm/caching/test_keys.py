"""What counts for a key, and which answers of each interface are kept."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.cache import AdvancedCache
from perfwright.llm import Api, Request, Usage
from perfwright.llm.caching import CompletionCache, Stored
from perfwright.llm.caching.keys import KeyMaker
from perfwright.llm.caching.stored import is_kept
from tests.cache.loops import run
from tests.llm.caching.providers import Provider, ask

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)
BODIES = st.dictionaries(st.text(max_size=3), VALUES, max_size=5)


def shuffled(value: Any, rng: random.Random) -> Any:
    """The same with the names of all objects in another order."""
    if isinstance(value, list):
        return [shuffled(item, rng) for item in value]
    if not isinstance(value, dict):
        return value
    names = list(value)
    rng.shuffle(names)
    return {name: shuffled(value[name], rng) for name in names}


def key(body: dict[str, Any], *, api: Api = Api.CHAT, **options: Any) -> str | None:
    return KeyMaker(**options).of(Request(api=api, body=body))


@given(BODIES, st.integers(0, 3))
def test_the_order_of_names_does_not_matter(body: dict[str, Any], seed: int) -> None:
    assert key(shuffled(body, random.Random(seed))) == key(body)


@given(BODIES, BODIES)
def test_different_bodies_have_different_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    def counting(body: dict[str, Any]) -> str:
        return repr(shuffled_sorted({k: v for k, v in body.items() if v is not None}))

    assert (key(one) == key(other)) == (counting(one) == counting(other))


def shuffled_sorted(value: Any) -> Any:
    """The same with the names of all objects in their order."""
    if isinstance(value, list):
        return [shuffled_sorted(item) for item in value]
    if isinstance(value, dict):
        return {name: shuffled_sorted(value[name]) for name in sorted(value)}
    return value


@pytest.mark.parametrize("field", ["temperature", "seed", "tools", "max_tokens", "of_tomorrow"])
def test_every_other_field_counts(field: str) -> None:
    body = dict(ask().body)
    assert key({**body, field: 1}) not in {key(body), key({**body, field: 2})}


def test_a_field_without_value_is_none() -> None:
    assert key({**ask().body, "temperature": None}) == key(dict(ask().body))


def test_interfaces_and_namespaces_do_not_share() -> None:
    body = dict(ask().body)
    keys = {key(body), key(body, api=Api.MESSAGES), key(body, namespace="other")}
    assert len(keys) == 3


def test_a_body_that_json_cannot_hold_goes_past_the_cache() -> None:
    provider = Provider()

    async def main() -> dict[str, Any]:
        async with AdvancedCache() as store:
            cache = CompletionCache(store)
            for _ in range(2):
                await cache.complete(ask(odd=object()), provider.make)
            return cache.get_stats()

    assert run(main())["bypassed"] == 2
    assert provider.calls == 2


@pytest.mark.parametrize(
    ("api", "fields", "payload", "kept"),
    [
        (Api.EMBEDDINGS, {}, {"data": [{"embedding": [0.1]}]}, True),
        (Api.EMBEDDINGS, {}, {"data": []}, False),
        (Api.MESSAGES, {}, {"content": [{"text": "a"}], "stop_reason": "end_turn"}, True),
        (Api.MESSAGES, {}, {"content": [{"type": "tool_use"}], "stop_reason": "tool_use"}, True),
        (Api.MESSAGES, {"max_tokens": 9}, {"content": [{}], "stop_reason": "max_tokens"}, True),
        (Api.MESSAGES, {}, {"content": [{"text": "a"}], "stop_reason": "refusal"}, False),
        (Api.MESSAGES, {}, {"content": [{"text": "a"}], "stop_reason": "pause_turn"}, False),
        (Api.RESPONSES, {}, {"output": [{}], "status": "completed"}, True),
        (Api.RESPONSES, {}, {"output": [], "status": "queued"}, False),
        (Api.RESPONSES, {}, {"output": [{}], "status": "failed"}, False),
        (
            Api.RESPONSES,
            {"max_output_tokens": 9},
            {
                "output": [{}],
                "status": "incomplete",
                "incomplete_details": {"reason": "max_output_tokens"},
            },
            True,
        ),
        (
            Api.RESPONSES,
            {"max_output_tokens": 9},
            {
                "output": [{}],
                "status": "incomplete",
                "incomplete_details": {"reason": "content_filter"},
            },
            False,
        ),
    ],
)
def test_each_interface_says_in_its_own_way_that_an_answer_is_whole(
    api: Api, fields: dict[str, Any], payload: dict[str, Any], *, kept: bool
) -> None:
    assert is_kept(Request(api=api, body={"model": "m", **fields}), payload) is kept


@given(
    st.dictionaries(st.text(max_size=5), VALUES),
    st.none() | st.builds(Usage, prompt_tokens=st.integers(0, 9), cached_tokens=st.integers(0, 9)),
    st.text(max_size=5),
    st.lists(st.integers(0, 2**32 - 1), max_size=5),
)
def test_an_answer_comes_back_as_it_was_kept(
    payload: dict[str, Any], usage: Usage | None, endpoint: str, sizes: list[int]
) -> None:
    stored = Stored(payload=payload, usage=usage, endpoint=endpoint, piece_sizes=sizes)
    again = Stored.unpack(stored.pack())
    assert (again.payload, again.usage, again.endpoint) == (payload, usage, endpoint)
    assert list(again.piece_sizes) == sizes
