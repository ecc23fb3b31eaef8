"""Who may call: keys with the models and the rate that each is allowed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from perfwright.core import ConfigError
from perfwright.limits import Rate, TokenBucket
from perfwright.llm.gateway.problems import Problem

PREFIX = "pw-"
LABEL = "key"
"""Cost is booked under this label, with the key's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayKey:
    """A caller: its secret is not kept, only the hash of it."""

    name: str
    sha256: str = field(repr=False)
    """64 hexadecimal digits, of the secret's UTF-8."""
    models: frozenset[str] | None = None
    """The models that it may ask for; None: all."""
    requests: Rate | None = None
    """How often it may call; more is refused with 429."""

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            problem = "must be 64 lower-case hexadecimal digits: the SHA-256 of the secret"
            raise ConfigError(
                field=f"gateway.keys.{self.name}.sha256", value="***", problem=problem
            )

    def allows(self, model: str) -> bool:
        """Whether it may ask for this model; no model is the configured one."""
        return self.models is None or model in self.models


def sha256_of(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def new_secret() -> str:
    """Draw a secret of 256 bits."""
    return PREFIX + secrets.token_urlsafe(32)


class KeyRing:
    """Finds the key of a secret, and counts its calls.

    Args:
        keys: None at all: everybody is let in, under no name.
        now_s: When the rates begin.
    """

    def __init__(self, keys: Iterable[GatewayKey], *, now_s: float) -> None:
        self._keys: dict[str, GatewayKey] = {}
        self._names: set[str] = set()
        self._buckets: dict[str, TokenBucket] = {}
        for key in keys:
            self._add(key, now_s)

    def __len__(self) -> int:
        return len(self._keys)

    def identify(self, secret: str | None) -> GatewayKey | None:
        """Return the key of a secret; how long that takes tells nothing of other secrets.

        What is looked up is the hash: a caller cannot choose how much of it is right.
        """
        digest = sha256_of(secret or "")
        key = self._keys.get(digest)
        if key is None or not hmac.compare_digest(key.sha256, digest):
            return None
        return key

    def refuse(self, key: GatewayKey, *, model: str, now_s: float) -> Problem | None:
        """Say why a key may not make this call now; else the call is counted."""
        if not key.allows(model):
            allowed = ", ".join(sorted(key.models or ())) or "none"
            asked = f"model {model!r}" if model else "no model in particular"
            text = f"key {key.name!r} may not ask for {asked}; it may ask for: {allowed}"
            return Problem(status=403, code="model_not_allowed", text=text)
        bucket = self._buckets.get(key.name)
        if bucket is None or bucket.try_take(1.0, now_s):
            return None
        wait_s = bucket.wait_s(1.0, now_s)
        text = f"key {key.name!r} has made as many calls as it may; try again in {wait_s:.1f} s"
        return Problem(status=429, code="rate_limit_exceeded", text=text, retry_after_s=wait_s)

    def _add(self, key: GatewayKey, now_s: float) -> None:
        if key.sha256 in self._keys or key.name in self._names:
            problem = "has the name or the secret of another key; every key needs its own"
            raise ConfigError(field="gateway.keys", value=key.name, problem=problem)
        self._keys[key.sha256] = key
        self._names.add(key.name)
        if key.requests is not None:
            self._buckets[key.name] = TokenBucket(key.requests, now_s=now_s)


NO_KEY = Problem(
    status=401,
    code="invalid_api_key",
    text="no valid key; send one of this gateway's as Authorization: Bearer KEY",
    headers={"WWW-Authenticate": "Bearer"},
)
