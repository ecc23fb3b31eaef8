"""SemanticCache: the answer to a similar question, as long as that is measured to be right."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perfwright.core import Clock, ConfigError, SystemClock
from perfwright.llm.caching.evidence import Evidence
from perfwright.llm.caching.keys import KeyMaker
from perfwright.llm.caching.likeness import lexical_vector, may_mean_the_same, words_of
from perfwright.llm.caching.neighbours import Neighbour, Neighbours
from perfwright.llm.caching.stored import Stored, is_kept
from perfwright.llm.replies import Completion, Usage
from perfwright.llm.requests import Api, Request
from perfwright.monitoring import Metric

Embed = Callable[[str], Awaitable[Sequence[float]]]
Judge = Callable[[Stored, Stored], bool | Awaitable[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A question that was looked for, and what was found."""

    scope: str
    text: str
    vector: Sequence[float]
    similarity: float = 0.0
    """Cosine, -1 to 1."""
    neighbour: Neighbour | None = None
    is_served: bool = False
    """Whether the neighbour's answer is given; else the provider is asked, and both compared."""


def same_text(one: Stored, other: Stored) -> bool:
    """Judge two answers equal if they differ in case, spaces and punctuation at most."""
    return _plain(one) == _plain(other)


class SemanticCache:
    """Gives the answer of a similar question, once it is measured that this is seldom wrong.

    At first nothing is served: whenever a kept question is similar to a new one, the provider is
    asked as always and a judge compares both answers. As soon as these comparisons show for some
    similarity that wrong answers are rarer than `max_false_ratio`, answers from there on are
    served; a share of them goes on being verified, and when they no longer show it, serving ends
    until they do again. In memory, for one process.

    Args:
        embed: Turns a question into a vector; None hashes its words, which needs no model and finds
            little more than other wordings of the same words.
        max_false_ratio: Share of the served answers that may be wrong, 0 to 1.
        verify_ratio: Share of the answers that could be served for which the provider is asked
            nevertheless, 0 to 1.
        judge: Says whether two answers say the same; may be a coroutine function. The default wants
            the same text, so that a model that words its answers differently each time keeps this
            cache off: give one that understands them.
        guard: Says whether two questions may want the same answer; None trusts similarity alone.
        lowest: Similarity below which nothing is compared, 0 to 1.
        confidence: That the ratio is kept when serving begins, 0 to 1, at one look; looks are taken
            after each comparison, so use a high one.
        window: Comparisons that count, the latest.
        max_entries: Questions that are kept.
        ttl_s: How long an answer is kept, in seconds.
        clock: Time, in seconds.
        rng: Draws what is verified.

    Only questions in the same place are compared: model, parameters, system prompt and all earlier
    messages must be equal. Requests with tools are left alone.
    """

    def __init__(
        self,
        *,
        embed: Embed | None = None,
        max_false_ratio: float = 0.02,
        verify_ratio: float = 0.05,
        judge: Judge = same_text,
        guard: Callable[[str, str], bool] | None = may_mean_the_same,
        lowest: float = 0.7,
        confidence: float = 0.99,
        window: int = 5_000,
        max_entries: int = 2_000,
        ttl_s: float = 3_600.0,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        for field, ratio in (
            ("max_false_ratio", max_false_ratio),
            ("verify_ratio", verify_ratio),
            ("lowest", lowest),
            ("confidence", confidence),
        ):
            if not 0 < ratio < 1:
                raise ConfigError(field=field, value=ratio, problem="must be between 0 and 1")
        self._embed, self._judge, self._guard = embed, judge, guard
        self._lowest, self._verify_ratio, self._ttl_s = lowest, verify_ratio, ttl_s
        self._evidence = Evidence(
            allowed=max_false_ratio, alpha=1.0 - confidence, lowest=lowest, window=window
        )
        self._neighbours = Neighbours(max_entries=max_entries)
        self._clock, self._rng = clock or SystemClock(), rng or random.Random()
        self._searches, self._similar, self._served = 0, 0, 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._verified, self._embed_failures, self._judge_failures = 0, 0, 0

    async def find(self, request: Request, *, keys: KeyMaker) -> Search | None:
        """Look for a similar question; None if this request is not one that is looked for."""
        asked = _question(request)
        if asked is None:
            return None
        text, rest = asked
        scope = keys.of_body(request, rest)
        vector = await self._vector(text)
        if scope is None or vector is None:
            return None
        self._searches += 1
        found = self._neighbours.nearest(
            scope, vector, now_s=self._clock.now(), admits=lambda kept: self._admits(kept, text)
        )
        if found is None or found[0] < self._lowest:
            return Search(scope=scope, text=text, vector=vector)
        similarity, neighbour = found
        self._similar += 1
        threshold = self._evidence.threshold
        is_served = (
            threshold is not None
            and similarity >= threshold
            and self._rng.random() >= self._verify_ratio
        )
        self._served += is_served
        return Search(
            scope=scope,
            text=text,
            vector=vector,
            similarity=similarity,
            neighbour=neighbour,
            is_served=is_served,
        )

    def learn(self, search: Search, request: Request, *, stored: Stored) -> None:
        """Take in the provider's answer: compare it with the neighbour's, and keep it.

        Nobody waits for a judge that takes time: it works in a task of this cache.
        """
        if search.neighbour is not None:
            self._verify(search.neighbour, stored, similarity=search.similarity)
        if is_kept(request, stored.payload):
            expires_at_s = self._clock.now() + self._ttl_s
            self._neighbours.add(
                search.scope,
                Neighbour(
                    search.text, search.vector, record=stored.pack(), expires_at_s=expires_at_s
                ),
            )

    async def aclose(self) -> None:
        """End the judges that are at work."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _verify(self, neighbour: Neighbour, stored: Stored, *, similarity: float) -> None:
        try:
            verdict = self._judge(Stored.unpack(neighbour.record), stored)
        except Exception:  # noqa: BLE001  the user's judge may raise anything; the answer is there
            self._judge_failures += 1
            return
        if isinstance(verdict, bool):
            self._judged(similarity, is_same=verdict)
            return
        task = asyncio.get_running_loop().create_task(self._awaited(verdict, similarity))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _awaited(self, verdict: Awaitable[bool], similarity: float) -> None:
        try:
            is_same = bool(await verdict)
        except Exception:  # noqa: BLE001  as above
            self._judge_failures += 1
        else:
            self._judged(similarity, is_same=is_same)

    def _judged(self, similarity: float, *, is_same: bool) -> None:
        self._verified += 1
        self._evidence.add(similarity, is_same=is_same)

    async def _vector(self, text: str) -> Sequence[float] | None:
        """Return a vector of length 1; None if there is none."""
        if self._embed is None:
            vector: Sequence[float] = lexical_vector(text)
        else:
            try:
                vector = await self._embed(text)
            except Exception:  # noqa: BLE001  without it the call is made as if there was no cache
                self._embed_failures += 1
                return None
        length = math.sqrt(sum(value * value for value in vector))
        return [value / length for value in vector] if length else None

    def _admits(self, kept: str, text: str) -> bool:
        return self._guard is None or self._guard(kept, text)

    def get_stats(self) -> dict[str, Any]:
        """Return the counts; ratios and similarities are 0 to 1.

        `false_hit_rate` is what was measured of the pairs from `threshold` on, or of all while
        nothing is served; with 95 % confidence it lies between `false_hit_low` and
        `false_hit_high`.
        """
        false_hits = self._evidence.false_hits()
        return {
            "searches": self._searches,
            "similar": self._similar,
            "served": self._served,
            "is_serving": self._evidence.threshold is not None,
            "threshold": self._evidence.threshold,
            "verified": self._verified,
            "false_hits": false_hits.false,
            "false_hit_rate": false_hits.rate,
            "false_hit_low": false_hits.low,
            "false_hit_high": false_hits.high,
            "entries": len(self._neighbours),
            "embed_failures": self._embed_failures,
            "judge_failures": self._judge_failures,
        }

    def metrics(self) -> Iterator[Metric]:
        """Yield the same for Prometheus and OpenTelemetry."""
        stats = self.get_stats()
        for name, text in (
            ("searches", "Questions that were looked for."),
            ("similar", "Of these, those with a similar one."),
            ("served", "Of these, those that got its answer."),
            ("verified", "Of these, those whose answers were compared."),
            ("embed_failures", "Questions that could not be embedded."),
            ("judge_failures", "Comparisons that the judge could not make."),
        ):
            yield Metric(name=f"llm_semantic_{name}", kind="counter", value=stats[name], help=text)
        for name, text in (
            ("false_hit_rate", "Share of wrong answers among those verified."),
            ("false_hit_high", "Upper bound of that share."),
        ):
            yield Metric(
                name=f"llm_semantic_{name}",
                kind="gauge",
                value=stats[name] or 0.0,
                unit="ratio",
                help=text,
            )


def _question(request: Request) -> tuple[str, Mapping[str, Any]] | None:
    """Return the last question, and the body without it."""
    body = request.body
    if request.api is Api.EMBEDDINGS or body.get("tools") or body.get("functions"):
        return None
    if isinstance(asked := body.get("input"), str):
        return asked, {**body, "input": None}
    *earlier, last = request.messages or [{}]
    text = last.get("content")
    if last.get("role") != "user" or not isinstance(text, str):
        return None
    return text, {**body, "messages": [*earlier, {**last, "content": None}]}


def _plain(stored: Stored) -> list[str]:
    return words_of(Completion(stored.payload, usage=stored.usage or Usage()).text)
