"""What processes tell one another, whatever carries it, and who here waits to hear it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum

import msgspec

from perfwright.cache.tier import Listener, Wake

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, bytes, list[str], list[bytes]]).decode


class Topic(StrEnum):
    """What a message is about."""

    CHANGED = "k"
    """Keys, each with the mark of the write that changed it."""
    RELEASED = "r"
    """A lease was given back, without a value."""
    TAG_DROPPED = "t"
    CLEARED = "c"


class Bus:
    """Writes and reads messages; passes what others say to the listener and the waiting ones."""

    def __init__(self) -> None:
        self._me = uuid.uuid4().bytes[:8]
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self.listener: Listener | None = None

    def message(self, topic: Topic, writes: Mapping[str, bytes]) -> bytes:
        """Make a message: names, each with the mark of its write or nothing."""
        return _encode((topic, self._me, list(writes), list(writes.values())))

    def hear(self, payload: bytes) -> list[str]:
        """Pass a message on; returns the keys that it says were changed, here or elsewhere."""
        try:
            topic, writer, names, write_ids = _decode(payload)
        except msgspec.DecodeError:
            return []  # somebody else talks on our channel
        changed = names if topic == Topic.CHANGED else []
        if self.listener is not None:
            if changed and writer != self._me:
                self.listener.keys_changed(dict(zip(names, write_ids, strict=False)))
            elif topic == Topic.TAG_DROPPED:
                for tag in names:
                    self.listener.tag_dropped(tag)
            elif topic == Topic.CLEARED:
                self.listener.everything_changed()
        for key in names:
            self._wake(key)
        return changed

    @contextmanager
    def awaiting(self, key: str) -> Iterator[Wake]:
        """Listen for the next message about a key, from now on."""
        event = asyncio.Event()
        self._waiting.setdefault(key, set()).add(event)
        try:
            yield _EventWake(event)
        finally:
            events = self._waiting[key]
            events.discard(event)
            if not events:
                del self._waiting[key]

    def link_changed(self, *, up: bool) -> None:
        """Tell the listener; when messages stop coming, wake everybody who waits for one."""
        if self.listener is not None:
            self.listener.link_changed(up=up)
        if not up:
            for key in list(self._waiting):
                self._wake(key)

    def _wake(self, key: str) -> None:
        for event in self._waiting.get(key, ()):
            event.set()


class _EventWake:
    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    async def wait(self, timeout_s: float) -> None:
        with suppress(TimeoutError):  # the lease has run out
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        self._event.clear()
