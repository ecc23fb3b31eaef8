"""The connection on which Redis tells what other processes changed.

It is a connection of its own, made like those of the user's client, and subscribed to one channel;
every script that writes also publishes there, in the same atomic step. On a server that is not a
cluster it also tracks the namespace, so that a value that somebody deletes or overwrites past the
cache (`redis-cli`, FLUSHALL, eviction) is told, too.

The link is up only while answers prove it: silence is answered with PING, and silence after that is
a loss. A loss, and the moment before a new link counts, make the cache distrust what it holds.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from redis.asyncio import RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from perfwright.core import Clock

_BACKOFF_S = (0.02, 0.1, 0.5, 1.0)


class Ear(Protocol):
    """Who is told."""

    def message(self, payload: bytes) -> None:
        """A message of the channel."""

    def touched(self, keys: Sequence[bytes] | None) -> None:
        """Keys of the server that were written, by anybody; None means all of them."""

    async def link_up(self) -> None:
        """The subscription holds; raises to say that the link is of no use yet."""

    def link_down(self) -> None:
        """It holds no longer."""


class RedisLink:
    """Keeps one subscribed connection for as long as `run` runs.

    Args:
        client: The user's client; only its settings are used.
        channel: What to subscribe to.
        prefix: Keys to track, where the server can.
        beat_s: Silence after which a PING is sent, and again after which the link is lost.
    """

    def __init__(
        self, client: Any, *, channel: str, prefix: str, beat_s: float, ear: Ear, clock: Clock
    ) -> None:
        self._client, self._channel, self._prefix = client, channel, prefix
        self._beat_s, self._ear, self._clock = beat_s, ear, clock
        self.is_up = False
        self.is_tracking = False
        self.losses = 0
        self.settled = asyncio.Event()
        """Set once the first attempt has ended, either way."""

    async def run(self) -> None:
        """Connect, listen, and connect again, until cancelled."""
        attempt = 0
        while True:
            try:
                await self._session()
            except (RedisError, OSError, TimeoutError):
                attempt = 0 if self.is_up else attempt + 1
            finally:
                self._down()
                self.settled.set()
            await self._clock.sleep(_BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)])

    async def _session(self) -> None:
        connection = await self._connected()
        try:
            async with asyncio.timeout(2 * self._beat_s):
                await self._subscribe(connection)
                await self._ear.link_up()
            self.is_up = True
            self.settled.set()
            await self._listen(connection)
        finally:
            await connection.disconnect(nowait=True)

    def _down(self) -> None:
        if self.is_up:
            self.losses += 1
        self.is_up = False
        self._ear.link_down()

    async def _connected(self) -> Any:
        async with asyncio.timeout(2 * self._beat_s):
            kind, settings = await self._recipe()
            connection = kind(**{**settings, "protocol": 3, "decode_responses": False})
            try:
                await connection.connect()
            except ResponseError:  # a server before 6, or a proxy, that knows no HELLO
                await connection.disconnect(nowait=True)
                connection = kind(**{**settings, "protocol": 2, "decode_responses": False})
                await connection.connect()
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
        return connection

    async def _recipe(self) -> tuple[Callable[..., Any], dict[str, Any]]:
        if isinstance(self._client, RedisCluster):
            await self._client.initialize()
            node = self._client.get_default_node()
            return node.connection_class, dict(node.connection_kwargs)
        pool = self._client.connection_pool
        return pool.connection_class, dict(pool.connection_kwargs)

    async def _subscribe(self, connection: Any) -> None:
        self.is_tracking = False
        if connection.protocol in {3, "3"} and not isinstance(self._client, RedisCluster):
            connection._parser.set_invalidation_push_handler(_passed_on)
            await _send(connection, "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", self._prefix)
            try:
                await _read(connection, math.inf)
                self.is_tracking = True
            except ResponseError:
                pass  # not permitted to this user: then only the cache's own writes are told
        await _send(connection, "SUBSCRIBE", self._channel)
        while True:
            reply = await _read(connection, math.inf)
            if isinstance(reply, list) and reply and reply[0] == b"subscribe":
                return

    async def _listen(self, connection: Any) -> None:
        asked = False
        while True:
            reply = await _read(connection, self._beat_s)
            if reply is None and asked:
                raise RedisConnectionError(f"no answer on the link for {2 * self._beat_s:g} s")
            if reply is None:
                await _send(connection, "PING")
            else:
                self._dispatch(reply)
            asked = reply is None

    def _dispatch(self, reply: object) -> None:
        match reply:
            case [b"message", _, bytes(payload)]:
                self._ear.message(payload)
            case [b"invalidate", None]:
                self._ear.touched(None)
            case [b"invalidate", list(keys)]:
                self._ear.touched(keys)
            case _:
                pass  # the answer to a PING


async def _send(connection: Any, *command: str) -> None:
    await connection.send_packed_command(connection.pack_command(*command), check_health=False)


def _read(connection: Any, timeout_s: float) -> Awaitable[Any]:
    """Return the next reply or push; None when none came in time."""
    reply: Awaitable[Any] = connection.read_response(
        disable_decoding=True, timeout=timeout_s, push_request=True
    )
    return reply


async def _passed_on(reply: object) -> object:
    return reply
