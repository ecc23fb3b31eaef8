"""Users sign in, look around and leave."""

from __future__ import annotations

from handlers import browse, query_for, sign_in, sign_out
from sessions import SessionStore

STORE = SessionStore()


def run() -> object:
    shown = 0
    for number in range(18_000):
        token = sign_in(STORE, number % 900)
        for page in range(3):
            shown += len(browse(STORE, token, query_for(number + page)))
        sign_out(STORE, token)
    return shown
