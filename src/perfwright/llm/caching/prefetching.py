"""Prefetcher: asks ahead what is likely to be asked next, as long as that turns out to be true."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from perfwright.core import Clock, ConfigError, SystemClock
from perfwright.llm.caching.foresight import Foresight
from perfwright.llm.caching.keys import KeyMaker
from perfwright.llm.requests import Request
from perfwright.monitoring import Metric

_log = logging.getLogger("perfwright.llm")

_HISTORY = 3
_LATEST = 100
"""Prefetches by which precision is judged."""
_FEWEST = 10
"""Below this nobody can say what it is."""
_PROBES = 0.05
"""Share of the chances that is taken while precision is too low, to notice when it is not."""


class Prefetcher:
    """Learns the order of prompts within sessions, and fetches likely next ones into the cache.

    It pays where the same prompts are asked in the same order again, after what was kept of them
    has expired: scheduled agents, evaluations, guided dialogues. Free chats do not repeat, and
    there it stops by itself.

    Args:
        send: Makes a call through the cache, such as `adapter.send`.
        max_ratio: Most calls ahead, as a share of the calls observed.
        max_usd: Most that calls ahead may cost in all; None bounds their number only. Costs are
            those of what `send` returns (`cost_usd`); calls under way are not known yet.
        least_chance: Chance from which on a prompt is fetched, 0 to 1.
        least_precision: Share of the prompts fetched that must have been asked for, 0 to 1; below
            it only one chance in 20 is taken, until they are again.
        useful_s: How long a fetched prompt waits to be asked for, in seconds; choose the cache's
            TTL or less.
        max_in_flight: Calls ahead at a time.
        max_prompts: Requests that are remembered.
        max_sessions: Sessions whose last prompts are remembered.
        clock: Time, in seconds.
        rng: Draws the chances that are taken while precision is low.
    """

    def __init__(
        self,
        send: Callable[[Request], Awaitable[object]],
        *,
        max_ratio: float = 0.1,
        max_usd: float | None = None,
        least_chance: float = 0.5,
        least_precision: float = 0.5,
        useful_s: float = 300.0,
        max_in_flight: int = 4,
        max_prompts: int = 10_000,
        max_sessions: int = 1_000,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        for field, value in (
            ("max_ratio", max_ratio),
            ("least_chance", least_chance),
            ("least_precision", least_precision),
        ):
            if not 0 < value <= 1:
                raise ConfigError(field=field, value=value, problem="must be above 0, at most 1")
        self._send, self._max_ratio, self._max_usd = send, max_ratio, max_usd
        self._least_chance, self._least_precision = least_chance, least_precision
        self._useful_s, self._max_in_flight = useful_s, max_in_flight
        self._max_prompts, self._max_sessions = max_prompts, max_sessions
        self._clock, self._rng = clock or SystemClock(), rng or random.Random()
        self._keys, self._foresight = KeyMaker(), Foresight()
        self._sessions: OrderedDict[str, deque[str]] = OrderedDict()
        self._asked: OrderedDict[str, tuple[Request, float]] = OrderedDict()
        """What was asked, and when last."""
        self._waiting: OrderedDict[str, float] = OrderedDict()
        """Fetched prompts that have not been asked for, and until when they may be."""
        self._outcomes: deque[bool] = deque(maxlen=_LATEST)
        self._tasks: set[asyncio.Task[None]] = set()
        self._observed, self._issued, self._useful, self._failed = 0, 0, 0, 0
        self._spent_usd = 0.0

    async def aclose(self) -> None:
        """End the calls ahead that are under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def observe(self, request: Request, *, session: str = "") -> None:
        """Take in that a request is asked now, and fetch ahead what is likely to follow.

        Args:
            request: As it is given to the cache; calls of this prefetcher need not be told.
            session: Whose sequence it is part of.
        """
        key = self._keys.of(request)
        if key is None:
            return
        self._observed += 1
        self._settle(key)
        history = self._sessions.setdefault(session, deque(maxlen=_HISTORY))
        self._foresight.learn(tuple(history), key)
        history.append(key)
        self._asked[key] = request, self._clock.now()
        _bound(self._asked, latest=key, at_most=self._max_prompts)
        _bound(self._sessions, latest=session, at_most=self._max_sessions)
        for likely, _ in self._foresight.likely(tuple(history), least=self._least_chance):
            if not self._may_fetch(likely):
                break
            self._fetch(likely)

    @property
    def precision(self) -> float | None:
        """Share of the latest prompts fetched that were asked for; None before enough are known."""
        if len(self._outcomes) < _FEWEST:
            return None
        return sum(self._outcomes) / len(self._outcomes)

    def _settle(self, key: str) -> None:
        """Learn what became of what was fetched."""
        now_s = self._clock.now()
        while self._waiting:
            oldest, until_s = next(iter(self._waiting.items()))
            if until_s > now_s:
                break
            del self._waiting[oldest]
            self._outcomes.append(False)
        if self._waiting.pop(key, None) is not None:
            self._useful += 1
            self._outcomes.append(True)

    def _may_fetch(self, key: str) -> bool:
        if key not in self._asked or key in self._waiting or self._is_recent(key):
            return False
        if len(self._tasks) >= self._max_in_flight:
            return False
        if self._issued + 1 > self._max_ratio * self._observed:
            return False
        if self._max_usd is not None and self._spent_usd >= self._max_usd:
            return False
        return not self._is_throttled or self._rng.random() < _PROBES

    @property
    def _is_throttled(self) -> bool:
        precision = self.precision
        return precision is not None and precision < self._least_precision

    def _is_recent(self, key: str) -> bool:
        """Whether it was asked so lately that its answer is still kept."""
        _, asked_at_s = self._asked[key]
        return self._clock.now() < asked_at_s + self._useful_s

    def _fetch(self, key: str) -> None:
        self._issued += 1
        self._waiting[key] = self._clock.now() + self._useful_s
        request, _ = self._asked[key]
        task = asyncio.get_running_loop().create_task(self._fetched(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetched(self, request: Request) -> None:
        try:
            answer = await self._send(request)
        except Exception as error:  # noqa: BLE001  nobody waits for it, and whoever asks will see
            self._failed += 1
            _log.info("a prompt could not be fetched ahead: %r", error)
        else:
            self._spent_usd += getattr(answer, "cost_usd", None) or 0.0

    def get_stats(self) -> dict[str, Any]:
        """Return the counts; `precision` is 0 to 1, None before enough is known."""
        return {
            "observed": self._observed,
            "issued": self._issued,
            "useful": self._useful,
            "failed": self._failed,
            "precision": self.precision,
            "is_throttled": self._is_throttled,
            "spent_usd": self._spent_usd,
        }

    def metrics(self) -> Iterator[Metric]:
        """Yield the same for Prometheus and OpenTelemetry."""
        for name, value, text in (
            ("issued", self._issued, "Prompts that were fetched ahead."),
            ("useful", self._useful, "Of these, those that were asked for in time."),
            ("failed", self._failed, "Of these, those that got no answer."),
        ):
            yield Metric(name=f"llm_prefetch_{name}", kind="counter", value=value, help=text)


def _bound(kept: OrderedDict[str, Any], *, latest: str, at_most: int) -> None:
    """Let the one that was used longest ago make room."""
    kept.move_to_end(latest)
    if len(kept) > at_most:
        kept.popitem(last=False)
