"""Keys: secrets that are not kept, models, rates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ConfigError
from perfwright.limits import Rate
from perfwright.llm.gateway import GatewayKey, KeyRing, new_secret, sha256_of
from tests.llm.gateway.fakes import key


def test_a_secret_is_not_shown() -> None:
    alice = key("alice", "pw-secret")
    assert "pw-secret" not in repr(alice)
    assert sha256_of("pw-secret") not in repr(alice)


def test_new_secrets_differ() -> None:
    assert new_secret() != new_secret()


@given(st.text(), st.lists(st.text(), unique=True, min_size=1, max_size=5))
def test_only_a_keys_own_secret_finds_it(tried: str, secrets: list[str]) -> None:
    ring = KeyRing([key(str(n), each) for n, each in enumerate(secrets)], now_s=0.0)
    found = ring.identify(tried)
    assert (found is not None) == (tried in secrets)
    assert found is None or found.name == str(secrets.index(tried))


def test_no_secret_finds_no_key() -> None:
    assert KeyRing([key("alice", "s")], now_s=0.0).identify(None) is None


@pytest.mark.parametrize("other", [("alice", "t"), ("bob", "s")])
def test_two_keys_may_share_neither_name_nor_secret(other: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="another key"):
        KeyRing([key("alice", "s"), key(*other)], now_s=0.0)


@pytest.mark.parametrize("digest", ["", "abc", "A" * 64, "g" * 64])
def test_a_hash_that_is_none_is_refused(digest: str) -> None:
    with pytest.raises(ConfigError, match="64 lower-case"):
        GatewayKey(name="alice", sha256=digest)


def test_a_key_that_calls_too_often_is_told_when_to_come_again() -> None:
    alice = key("alice", "s", requests=Rate(0.5, 1))
    ring = KeyRing([alice], now_s=0.0)
    assert ring.refuse(alice, model="m", now_s=0.0) is None
    refused = ring.refuse(alice, model="m", now_s=1.0)
    assert refused is not None
    assert (refused.status, refused.retry_after_s) == (429, 1.0)
    assert ring.refuse(alice, model="m", now_s=2.0) is None


def test_a_call_for_a_forbidden_model_is_not_counted() -> None:
    alice = key("alice", "s", models=frozenset({"m"}), requests=Rate(0.5, 1))
    ring = KeyRing([alice], now_s=0.0)
    for _ in range(3):
        refused = ring.refuse(alice, model="other", now_s=0.0)
        assert refused is not None
        assert refused.status == 403
    assert ring.refuse(alice, model="m", now_s=0.0) is None
