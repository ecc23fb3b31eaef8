"""Redis as the second tier: standalone, cluster or sentinel, as the user's client has it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any

from perfwright.cache import redis_scripts as scripts
from perfwright.cache.bus import Bus, Topic
from perfwright.cache.debts import Debts
from perfwright.cache.envelope import write_id_of
from perfwright.cache.tags import new_version
from perfwright.cache.tier import (
    ABSENT,
    Found,
    Lease,
    Listener,
    TierDownError,
    TierRefusedError,
    Wake,
)
from perfwright.core import Clock, ConfigError, MissingExtraError, SystemClock
from perfwright.monitoring import Metric

if TYPE_CHECKING:
    from perfwright.cache.redis_calls import RedisCalls
    from perfwright.cache.redis_link import RedisLink

_NAMESPACE = re.compile(r"[\w.:-]+")  # nothing that a pattern of SCAN would read as a wildcard
_RETRY_S = 0.1
"""Between attempts to delete what an unanswered write may have left."""


class RedisTier:
    """Values, leases and tag versions in Redis, and the link that tells of changes.

    Args:
        client: A `redis.asyncio` client: `Redis` (also from a sentinel) or `RedisCluster`. Its
            `protocol` and `decode_responses` do not matter. It is not closed.
        namespace: Prefix of all keys and name of the channel. Caches that share it share values.
        operation_timeout_s: After this long a call counts as failed.
        lease_s: How long a process that died keeps others from calling its factory.
        max_concurrent: Calls under way at once; the client's pool must have as many connections.
            The link has one of its own.
        beat_s: Silence on the link after which it is tested; it counts as lost after twice as long.
        clock: Time for the breaker.
    """

    def __init__(
        self,
        client: Any,
        *,
        namespace: str = "perfwright",
        operation_timeout_s: float = 0.25,
        lease_s: float = 3.0,
        max_concurrent: int = 32,
        beat_s: float = 1.0,
        clock: Clock | None = None,
    ) -> None:
        if not _NAMESPACE.fullmatch(namespace):
            raise ConfigError(
                field="namespace", value=namespace, problem="use letters, digits and . : - _ only"
            )
        self._clock = clock or SystemClock()
        self._calls = _calls(
            client,
            timeout_s=operation_timeout_s,
            max_concurrent=max_concurrent,
            clock=self._clock,
            name=f"cache {namespace}",
        )
        self._namespace, self._prefix = namespace, f"{namespace}:v:{{="
        self._channel = f"{namespace}:bus"
        self.lease_s, self._beat_s = lease_s, beat_s
        self._bus = Bus()
        self._link: RedisLink | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._explained: set[str] = set()
        """Keys of the messages since the last word of the server's own on what was written."""
        self._debts = Debts(delete=self._delete, drop_tag=self._drop_tag, clear=self._clear)
        self.refusals = 0

    # --- Lifetime ---------------------------------------------------------------------------------

    @property
    def linked(self) -> bool:
        """Whether every change by another process is being told."""
        return self._link is not None and self._link.is_up

    @property
    def out_of_reach(self) -> bool:
        """Whether the breaker lets no call through."""
        return self._calls.out_of_reach

    async def start(self, listener: Listener) -> None:
        """Open the link; waits for the first attempt, but not longer than one call may take."""
        from perfwright.cache.redis_link import RedisLink

        self._bus.listener = listener
        self._link = RedisLink(
            self._calls.client,
            channel=self._channel,
            prefix=self._prefix,
            beat_s=self._beat_s,
            ear=self,
            clock=self._clock,
        )
        loop = asyncio.get_running_loop()
        collect = self._debts.collect(pause=lambda: self._clock.sleep(_RETRY_S))
        self._tasks = [loop.create_task(self._link.run()), loop.create_task(collect)]
        with suppress(TimeoutError):  # it goes on trying; until then nothing held is trusted
            async with asyncio.timeout(self._calls.timeout_s):
                await self._link.settled.wait()

    async def aclose(self) -> None:
        """Close the link; the client stays open."""
        tasks, self._tasks, self._bus.listener = self._tasks, [], None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # --- Values -----------------------------------------------------------------------------------

    async def fetch(self, key: str, *, token: bytes, need_s: float) -> Found:
        """Read a value, and unless it has more than `need_s` left take its lease."""
        await self._pay()
        blob, left_ms, lease = await self._calls.run(
            scripts.FETCH, self._names(key), token, _ms(self.lease_s), _ms(need_s)
        )
        return Found(
            blob=blob,
            left_s=left_ms / 1_000,
            lease=_LEASES.get(lease, Lease.HELD),
            held_s=max(0, lease) / 1_000,
        )

    async def fetch_many(self, keys: Sequence[str]) -> list[Found]:
        """Read values; on a cluster key by key, since they live in different slots."""
        await self._pay()
        if self._calls.is_cluster:
            return await self._calls.each(keys, lambda key: self.fetch(key, token=b"", need_s=0.0))
        found: list[Found] = []
        for chunk in _chunks(keys):
            names = [self._names(key)[0] for key in chunk]
            reply = await self._calls.run(scripts.FETCH_MANY, names)
            found += (
                Found(blob=blob, left_s=left_ms / 1_000) if blob is not None else ABSENT
                for blob, left_ms in zip(reply[::2], reply[1::2], strict=True)
            )
        return found

    async def store(self, key: str, blob: bytes, *, keep_s: float, token: bytes = b"") -> bool:
        """Write a value; with a token only while that lease holds."""
        message = self._bus.message(Topic.CHANGED, {key: write_id_of(blob)})
        owed = () if token else (key,)  # under a lease an older value cannot be there
        with self._debts.unless_done(*owed):
            stored = await self._calls.run(
                scripts.STORE, self._names(key), token, blob, _ms(keep_s), self._channel, message
            )
        self._refused(stored < 0)
        return bool(stored)

    async def store_many(self, blobs: Mapping[str, bytes], *, keep_s: Mapping[str, float]) -> None:
        """Write values; on a cluster key by key."""
        keys = list(blobs)
        if self._calls.is_cluster:
            with self._debts.unless_done(*keys):
                await self._calls.each(
                    keys, lambda key: self.store(key, blobs[key], keep_s=keep_s[key])
                )
            return
        refused = 0
        with self._debts.unless_done(*keys):
            for chunk in _chunks(keys):
                names = [name for key in chunk for name in self._names(key)]
                values = [part for key in chunk for part in (blobs[key], _ms(keep_s[key]))]
                message = self._bus.message(
                    Topic.CHANGED, {key: write_id_of(blobs[key]) for key in chunk}
                )
                refused -= await self._calls.run(
                    scripts.STORE_MANY, names, self._channel, message, *values
                )
        self._refused(refused > 0)

    async def delete(self, key: str) -> bool:
        """Delete a value and whatever lease there is."""
        with self._debts.unless_done(key):
            return bool(await self._delete(key))

    async def clear(self) -> None:
        """Delete every key of the namespace."""
        with self._debts.unless_done(everything=True):
            await self._clear()

    async def present(self) -> AsyncIterator[str]:
        """Yield the key of every value in the tier; those written meanwhile may be missed."""
        async for batch in self._calls.names(f"{self._prefix}*"):
            for name in batch:
                yield self._key_of(name)

    # --- Leases -----------------------------------------------------------------------------------

    async def renew(self, key: str, *, token: bytes) -> None:
        """Begin the lease anew, if it is still ours."""
        await self._calls.run(scripts.RENEW, self._names(key)[1:], token, _ms(self.lease_s))

    async def release(self, key: str, *, token: bytes) -> None:
        """Give the lease back, and wake those who wait for it."""
        message = self._bus.message(Topic.RELEASED, {key: b""})
        await self._calls.run(scripts.RELEASE, self._names(key)[1:], token, self._channel, message)

    def awaiting(self, key: str) -> AbstractContextManager[Wake]:
        """Listen for the release of a lease from now on."""
        return self._bus.awaiting(key)

    # --- Tags -------------------------------------------------------------------------------------

    async def tag_versions(
        self, tags: Sequence[str], *, keep_s: float, create: bool
    ) -> list[bytes | None]:
        """Read versions, one call each: tags are few, and the cache remembers the answers."""
        await self._pay()
        return [
            await self._calls.run(
                scripts.TAG, [self._tag(tag)], new_version() if create else b"", _ms(keep_s)
            )
            for tag in tags
        ]

    async def drop_tag(self, tag: str) -> None:
        """Forget the version of a tag: a new one never equals it."""
        with self._debts.unless_done(tags=(tag,)):
            await self._drop_tag(tag)

    # --- What the link tells ----------------------------------------------------------------------

    def message(self, payload: bytes) -> None:
        """A message of the channel: ours, too."""
        changed = self._bus.hear(payload)
        if self._link is not None and self._link.is_tracking:  # else nothing would clear them
            self._explained.update(changed)

    def touched(self, names: Sequence[bytes] | None) -> None:
        """The server's own word on what was written; it follows the cache's messages."""
        listener = self._bus.listener
        if listener is None:
            return
        if names is None:
            listener.everything_changed()
            return
        unexplained = {self._key_of(name) for name in names} - self._explained
        self._explained.clear()
        listener.keys_changed(dict.fromkeys(unexplained, b""))

    async def link_up(self) -> None:
        """Pay what is owed before anything is trusted again."""
        try:
            await self._pay()
        except TierDownError as error:
            raise TimeoutError from error
        self._bus.link_changed(up=True)

    def link_down(self) -> None:
        """Nothing is told from now on."""
        self._explained.clear()
        self._bus.link_changed(up=False)

    # --- Within -----------------------------------------------------------------------------------

    async def _pay(self) -> None:
        if self._debts:
            await self._debts.pay()

    async def _delete(self, key: str) -> int:
        message = self._bus.message(Topic.CHANGED, {key: b""})
        return int(await self._calls.run(scripts.DELETE, self._names(key), self._channel, message))

    async def _drop_tag(self, tag: str) -> None:
        message = self._bus.message(Topic.TAG_DROPPED, {tag: b""})
        await self._calls.run(scripts.DROP_TAG, [self._tag(tag)], self._channel, message)

    async def _clear(self) -> None:
        async for batch in self._calls.names(f"{self._namespace}:*"):
            await self._calls.unlink(batch)
        await self._calls.command("PUBLISH", self._channel, self._bus.message(Topic.CLEARED, {}))

    def _refused(self, is_full: bool) -> None:
        if is_full:
            self.refusals += 1
            raise TierRefusedError

    def _names(self, key: str) -> list[str]:
        """Return what the server calls the value and its lease: the braces keep them together."""
        return [f"{self._prefix}{key}}}", f"{self._namespace}:l:{{={key}}}"]

    def _tag(self, tag: str) -> str:
        return f"{self._namespace}:t:{{={tag}}}"

    def _key_of(self, name: bytes) -> str:
        return name.decode(errors="replace")[len(self._prefix) : -1]

    def metrics(self) -> Iterable[Metric]:
        """Failures, the link, and the breaker."""
        yield Metric(
            name="cache_tier_refusals",
            kind="counter",
            value=self.refusals,
            help="Values that the second tier had no room for.",
        )
        yield Metric(
            name="cache_link_losses",
            kind="counter",
            value=self._link.losses if self._link else 0,
            help="Links that broke.",
        )
        yield Metric(
            name="cache_link_up",
            kind="gauge",
            value=int(self.linked),
            help="1 while every change elsewhere is told.",
        )
        yield from self._calls.metrics()


_LEASES = {0: Lease.NOT_ASKED, -1: Lease.OURS, -2: Lease.IMPOSSIBLE}


def _calls(client: Any, **settings: Any) -> RedisCalls:
    try:
        from perfwright.cache.redis_calls import RedisCalls
    except ModuleNotFoundError as error:
        raise MissingExtraError(feature="the Redis tier of the cache", extra="redis") from error
    return RedisCalls(client, **settings)


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]


_CHUNK = 200
"""Keys per script call: a larger one would hold up the server's other clients."""


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1_000)) if seconds > 0 else round(seconds * 1_000)
