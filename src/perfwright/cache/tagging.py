"""Versions of tags: taken before a value is computed, and compared when one is read."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from perfwright.cache.local import Local
from perfwright.cache.tags import TagCell, new_version
from perfwright.cache.tier import Tier, TierDownError
from perfwright.core import Clock

_AHEAD = 2.0
"""Versions are kept this many times longer than asked: most values then need no call for them."""


class Tagging:
    """Finds the cells of a value's tags: here if they are known, else in the second tier."""

    def __init__(self, *, local: Local, tier: Tier | None, clock: Clock) -> None:
        self._local, self._tier, self._clock = local, tier, clock

    async def snapshot(self, tags: Collection[str], *, keep_s: float) -> tuple[TagCell, ...]:
        """Return the present versions, for a value that is about to be computed.

        If the second tier is out of reach, the cells are known to this process alone.
        """
        known = self._known(tags, until_s=self._clock.now() + keep_s)
        if known is not None:
            return known
        try:
            return await self._ask(tags, keep_s=keep_s * _AHEAD, create=True)
        except TierDownError:
            return tuple(self._only_here(tag) for tag in tags)

    async def check(self, versions: Mapping[str, bytes]) -> tuple[TagCell, ...] | None:
        """Return the cells of a value that was read, or None if a tag of it was invalidated.

        Raises:
            TierDownError: If nobody knows.
        """
        if not versions:
            return ()
        cells = self._known(versions, until_s=-math.inf)
        if cells is None:
            cells = await self._ask(versions, keep_s=0.0, create=False)
        same = all(
            cell.version == version for cell, version in zip(cells, versions.values(), strict=True)
        )
        return cells if same else None

    def _known(self, tags: Collection[str], *, until_s: float) -> tuple[TagCell, ...] | None:
        if self._tier is None:
            return tuple(self._only_here(tag) for tag in tags)
        if not self._local.trusted:  # nobody would tell us of a change
            return None if tags else ()
        cells = [self._local.tags.cell(tag) for tag in tags]
        known = tuple(cell for cell in cells if cell is not None and cell.kept_until_s >= until_s)
        return known if len(known) == len(cells) else None

    def _only_here(self, tag: str) -> TagCell:
        cell = self._local.tags.cell(tag)
        return cell or self._local.tags.learn(tag, new_version(), kept_until_s=math.inf)

    async def _ask(
        self, tags: Collection[str], *, keep_s: float, create: bool
    ) -> tuple[TagCell, ...]:
        assert self._tier is not None  # noqa: S101  `_known` answers without one
        asked_s = self._clock.now()
        with self._local.tag_tickets.hold_all(tags) as tickets:
            versions = await self._tier.tag_versions(list(tags), keep_s=keep_s, create=create)
            return tuple(
                self._learned(tag, version, valid=ticket.valid, until_s=asked_s + keep_s)
                for tag, version, ticket in zip(tags, versions, tickets, strict=True)
            )

    def _learned(self, tag: str, version: bytes | None, *, valid: bool, until_s: float) -> TagCell:
        if version is not None and valid:
            return self._local.tags.learn(tag, version, kept_until_s=until_s)
        # Invalidated while the answer was on its way, or never made: no value may build on it.
        dead = TagCell(version or new_version(), until_s)
        dead.alive = False
        return dead
