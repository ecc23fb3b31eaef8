"""Sessions of signed-in users."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass
class Session:
    user: int
    token: str
    visited: list[str] = field(default_factory=list)
    basket: dict[str, int] = field(default_factory=dict)


def new_session(user: int, serial: int) -> Session:
    token = hashlib.sha256(f"{user}:{serial}".encode()).hexdigest()
    return Session(user=user, token=token, basket={f"sku-{index}": index for index in range(8)})


class SessionStore:
    def __init__(self) -> None:
        self._by_token: dict[str, Session] = {}
        self._serial = 0

    def open(self, user: int) -> Session:
        self._serial += 1
        session = new_session(user, self._serial)
        session.visited = [f"/start/{user}/{index}" for index in range(12)]
        self._by_token[session.token] = session
        return session

    def find(self, token: str) -> Session | None:
        return self._by_token.get(token)

    def close(self, session: Session) -> None:
        self._by_token.pop(str(session.user), None)
