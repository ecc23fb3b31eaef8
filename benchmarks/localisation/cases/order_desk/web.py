"""Routing, and what happens around each handler."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import wraps
from urllib.parse import parse_qsl, urlsplit

from backends import Backends


@dataclass
class Request:
    backends: Backends
    path: str
    token: str
    query: dict[str, str] = field(default_factory=dict)
    user: int = 0


Handler = Callable[[Request], Awaitable[str]]
ROUTES: dict[str, Handler] = {}
COUNTS: Counter[str] = Counter()


def authenticated(handler: Handler) -> Handler:
    @wraps(handler)
    async def inner(request: Request) -> str:
        answer = await request.backends.identity.call(f"/tokens/{request.token}")
        request.user = answer["user"]
        return await handler(request)

    return inner


def counted(handler: Handler) -> Handler:
    @wraps(handler)
    async def inner(request: Request) -> str:
        COUNTS[request.path] += 1
        return await handler(request)

    return inner


def route(path: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        ROUTES[path] = counted(authenticated(handler))
        return handler

    return register


async def dispatch(backends: Backends, url: str, token: str) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    return await ROUTES[parts.path](Request(backends, parts.path, token, query))
