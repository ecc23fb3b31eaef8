"""Budgets in Redis, for processes on many machines: one script call for each step."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from perfwright.core import MissingExtraError
from perfwright.llm.cost.account import Claim, Ruling
from perfwright.llm.cost.budget import Amounts
from perfwright.llm.cost.periods import Calendar
from perfwright.llm.cost.shared_ledger import Answer, Finish, Row

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

_RULINGS = (Ruling.GO, Ruling.WAIT, Ruling.REFUSE)
_KEPT_AFTER_S = 86_400.0  # a period's sums, for calls that end after it


class RedisStore:
    """A `Store` in Redis."""

    def __init__(
        self, client: Redis | RedisCluster, *, key: str, timeout_s: float, calendar: Calendar
    ) -> None:
        try:
            from redis.exceptions import NoScriptError, RedisError
        except ImportError as error:
            raise MissingExtraError(feature="in_redis", extra="redis") from error
        self.failures: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
        self._no_script = NoScriptError
        self._client: Any = client
        self._key, self._timeout_s, self._calendar = key, timeout_s, calendar

    async def take(
        self, rows: Sequence[Row], claims: Sequence[Claim], *, hold: str, ttl_s: float
    ) -> list[Answer]:
        """Hold on all rows, or on none."""
        arguments: list[object] = [hold, round(ttl_s * 1_000), 0]
        for row, (most, alone, expected) in zip(rows, claims, strict=True):
            limits = row.budget.limits
            arguments += [self._kept_ms(row), *limits, *most, *alone, *expected]
        reply = await self._run("take", rows, arguments=arguments)
        answers = []
        for at in range(0, len(reply), 4):
            pico, tokens, calls, ruling = map(int, reply[at : at + 4])
            answers.append(Answer(_RULINGS[ruling], Amounts(pico, tokens, calls)))
        return answers

    async def finish(self, done: Finish) -> list[Amounts]:
        """End holds and book."""
        rows = [*(taken.row for taken in done.taken), *done.charged]
        hold = done.taken[0].hold if done.taken else ""
        actual = done.actual or Amounts(0, 0, 0)
        arguments: list[object] = [hold, int(done.actual is not None), len(done.taken)]
        for taken in done.taken:
            arguments += [self._kept_ms(taken.row), *actual, *taken.expected]
        for row in done.charged:
            arguments += [self._kept_ms(row), *actual, 0, 0, 0]
        reply = [int(amount) for amount in await self._run("finish", rows, arguments=arguments)]
        return [Amounts(*reply[at : at + 3]) for at in range(0, len(reply), 3)]

    async def levels(self, rows: Sequence[Row]) -> list[tuple[Amounts, Amounts, int]]:
        """Read the sums and holds."""
        found = [int(amount) for amount in await self._run("levels", rows, arguments=["", 0, 0])]
        return [
            (Amounts(*found[at : at + 3]), Amounts(*found[at + 3 : at + 6]), found[at + 6])
            for at in range(0, len(found), 7)
        ]

    def describe(self) -> str:
        """Name the keys."""
        return f"Redis keys {self._key!r}"

    async def aclose(self) -> None:
        """Do nothing: the client is the caller's."""

    def _kept_ms(self, row: Row) -> int:
        """Return for how long a row is kept, 0 for ever; not until when: clocks differ."""
        if math.isinf(row.ends_s):
            return 0
        return round((row.ends_s - self._calendar.now() + _KEPT_AFTER_S) * 1_000)

    async def _run(self, op: str, rows: Sequence[Row], *, arguments: Sequence[object]) -> list[Any]:
        if not rows:
            return []
        # The braces keep all keys on one node of a cluster, where one script can use them.
        bases = [f"{{{self._key}}}:{row.name}" for row in rows]
        keys = [key for base in bases for key in (base, f"{base}:holds")]
        source, sha = _script()
        rest = (len(keys), *keys, op, *arguments)
        async with asyncio.timeout(self._timeout_s):
            try:
                return list(await self._client.execute_command("EVALSHA", sha, *rest))
            except self._no_script:
                return list(await self._client.execute_command("EVAL", source, *rest))


@cache
def _script() -> tuple[str, str]:
    source = files("perfwright.llm.cost").joinpath("budget.lua").read_text(encoding="utf-8")
    return source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
