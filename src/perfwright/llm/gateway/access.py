"""One line for each request: who, what, how long, and nothing of its content."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import msgspec

from perfwright.llm.replies import Completion

logger = logging.getLogger("perfwright.gateway.access")


@dataclass(slots=True)
class Seen:
    """What is known of a request while it is answered."""

    method: str
    path: str
    """Without its query, which may hold a key."""
    route: str = "other"
    key: str = ""
    model: str = ""
    problem: str = ""
    cached: bool | None = None
    endpoint: str = ""
    cost_usd: float | None = None
    tokens: int | None = None
    trace_id: str = ""

    def take(self, done: Completion | None) -> None:
        """Note what an answer was."""
        if done is None:
            return
        self.cached, self.endpoint, self.cost_usd = done.cached, done.endpoint, done.cost_usd
        self.tokens = done.usage.total_tokens
        if done.trace is not None and logger.isEnabledFor(logging.INFO):
            self.trace_id = done.trace.trace_id


class AccessLog:
    """Writes to the logger `perfwright.gateway.access`, at INFO."""

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on

    def write(self, seen: Seen, *, status: int, seconds: float) -> None:
        """Write one line of JSON; what is empty is left out."""
        if not self._is_on:
            return
        facts = {name: getattr(seen, name) for name in Seen.__slots__}
        line = {"status": status, "ms": round(seconds * 1_000, 3), **facts}
        known = {name: value for name, value in line.items() if value not in ("", None)}
        logger.info(msgspec.json.encode(known).decode())
