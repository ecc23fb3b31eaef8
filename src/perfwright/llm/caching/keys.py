"""Under which key an answer is kept: whatever can change the answer counts, and nothing else."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from typing import Any

import msgspec

from perfwright.llm.requests import Api, Request

IGNORED_FIELDS = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "user",
    }
)
"""Fields of a body that say how it is sent, billed or filed, not what is answered."""

_UNENCODABLE = (TypeError, ValueError, OverflowError, RecursionError)


class KeyMaker:
    """Makes the keys of requests.

    Args:
        namespace: Tells apart providers whose models have equal names.
        ignored_fields: Of the body, at its top.
        isolate_by: Labels of a request; callers that differ in one never share an answer.
    """

    def __init__(
        self,
        *,
        namespace: str = "",
        ignored_fields: Collection[str] = IGNORED_FIELDS,
        isolate_by: Collection[str] = (),
    ) -> None:
        self._ignored, self._isolate_by = frozenset(ignored_fields), tuple(isolate_by)
        self._encode = msgspec.json.Encoder(order="sorted").encode
        start = namespace.encode()
        self._seeds = {api: blake2b(start + api.encode(), digest_size=20) for api in Api}

    def of(self, request: Request) -> str | None:
        """Return the key; None if the body holds what JSON has no form for."""
        return self.of_body(request, request.body)

    def of_body(self, request: Request, body: Any) -> str | None:
        """Return the key that `request` would have with another body."""
        ignored = self._ignored
        counting = {
            name: value for name, value in body.items() if value is not None and name not in ignored
        }
        digest = self._seeds[request.api].copy()
        try:
            digest.update(self._encode(counting))
        except _UNENCODABLE:
            return None
        for label in self._isolate_by:
            digest.update(f"\0{label}\0{request.labels.get(label, '')}".encode())
        return "llm1:" + digest.hexdigest()
