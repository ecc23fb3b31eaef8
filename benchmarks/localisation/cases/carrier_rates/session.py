"""Requests to a carrier, which wants a fresh token now and then."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from link import Link


class RefusedError(Exception):
    """The carrier does not answer this."""


class Session:
    def __init__(self, link: Link, *, uses: int = 60) -> None:
        self.link = link
        self.uses = uses
        self.received = 0
        self._token: str | None = None
        self._left = 0
        self._renewal = asyncio.Lock()

    async def _valid_token(self) -> str:
        if self._token is None or not self._left:
            self._token = await self.link.token()
            self._left = self.uses
        self._left -= 1
        return self._token

    async def get(self, path: str) -> dict[str, Any]:
        async with self._renewal:
            token = await self._valid_token()
            reply = await self.link.send(path, token)
            if reply.status == 401:
                self._token = None
                reply = await self.link.send(path, await self._valid_token())
        self.received += len(reply.body)
        if reply.status != 200:
            raise RefusedError(f"{path}: {reply.status}")
        return json.loads(reply.body)
