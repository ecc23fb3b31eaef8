"""What a signed-in user can do."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlencode

from sessions import Session, SessionStore


def sign_in(store: SessionStore, user: int) -> str:
    return store.open(user).token


def browse(store: SessionStore, token: str, query: str) -> str:
    session = store.find(token)
    if session is None:
        return "{}"
    wanted = parse_qs(query)
    rows = [
        {"page": page, "filter": sorted(wanted), "user": session.user} for page in session.visited
    ]
    return json.dumps(rows)


def sign_out(store: SessionStore, token: str) -> None:
    session: Session | None = store.find(token)
    if session is not None:
        store.close(session)


def query_for(number: int) -> str:
    return urlencode({"colour": number % 7, "size": number % 5, "page": number})
