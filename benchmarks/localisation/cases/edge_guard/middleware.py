"""What a request passes through before it is answered."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from reputation import Feed, address_of


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    notes: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], tuple[int, str]]
Layer = Callable[[Handler], Handler]


def trust_proxy(inner: Handler) -> Handler:
    def handle(request: Request) -> tuple[int, str]:
        hops = [hop.strip() for hop in request.headers.get("x-forwarded-for", "").split(",")]
        request.notes["client"] = hops[-1]
        return inner(request)

    return handle


def refuse_listed(*feeds: Feed) -> Layer:
    def layer(inner: Handler) -> Handler:
        def handle(request: Request) -> tuple[int, str]:
            client = address_of(request.notes["client"])
            for feed in feeds:
                if feed.covers(client):
                    return 403, feed.name
            return inner(request)

        return handle

    return layer


def count_by_status(counts: Counter[int]) -> Layer:
    def layer(inner: Handler) -> Handler:
        def handle(request: Request) -> tuple[int, str]:
            answer = inner(request)
            counts[answer[0]] += 1
            return answer

        return handle

    return layer


def entity_tags(inner: Handler) -> Handler:
    def handle(request: Request) -> tuple[int, str]:
        status, body = inner(request)
        tag = hashlib.blake2b(body.encode(), digest_size=8).hexdigest()
        if request.headers.get("if-none-match") == tag:
            return 304, ""
        return status, f"{body} {tag}"

    return handle


def stack(handler: Handler, *layers: Layer) -> Handler:
    for layer in reversed(layers):
        handler = layer(handler)
    return handler
