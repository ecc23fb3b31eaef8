"""Embeddings of many callers in few requests."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from perfwright.batching import BatchProcessor, Priority
from perfwright.batching.splitting import Split
from perfwright.core import BadAnswerError, ConfigError, ProviderRefusedError
from perfwright.llm.bulk.crew import Outcome, Send, outcome_of
from perfwright.llm.bulk.embed_calls import EmbedCall, Row, fail, share_out, unique_rows
from perfwright.llm.bulk.packing import Input, packed
from perfwright.llm.replies import Completion
from perfwright.monitoring import Metric

_BLAMES_AN_INPUT = frozenset({400, 413, 422})
"""Statuses of a refusal that fewer inputs may escape; a bad key is as bad for each of them."""
_TARGET_S = 30.0
"""Of the batcher, which would make batches smaller to keep it: here the requests are the cost."""


class EmbeddingQueue:
    """Coalesces concurrent `embed` calls into requests for many inputs.

    Calls with the same model, options and labels share requests. Inputs that are equal are sent
    once. A request that the provider refuses is tried again in halves, so that an input that it
    does not take fails the call that brought it and no other.

    Args:
        send: Makes one request, with its retries, limits and cache: this adds none.
        max_inputs: How many inputs a request may have at most; OpenAI takes 2,048.
        max_tokens: How many tokens they may have together, as estimated; OpenAI takes 300,000.
        max_wait_s: How long a call waits for company; with 0 it waits only while `workers` are
            busy.
        workers: How many batches may be under way at once.
    """

    def __init__(
        self,
        send: Send,
        *,
        max_inputs: int = 2_048,
        max_tokens: int = 300_000,
        max_wait_s: float = 0.005,
        workers: int = 8,
    ) -> None:
        for name, value in (("max_inputs", max_inputs), ("max_tokens", max_tokens)):
            if value < 1:
                raise ConfigError(field=name, value=value, problem="must be at least 1")
        self._send, self._max_inputs, self._max_tokens = send, max_inputs, max_tokens
        self._batcher: BatchProcessor[EmbedCall, Any] = BatchProcessor(
            self._process,
            min_batch_size=max_inputs if max_wait_s > 0 else 1,
            max_batch_size=max_inputs,
            max_wait_time=max_wait_s,
            target_latency=_TARGET_S,
            workers=workers,
            retry_failed=False,  # it knows better which inputs to try again
            name="embeddings",
        )
        self._counts = dict.fromkeys(("calls", "inputs", "duplicates", "requests"), 0)

    async def embed(
        self,
        texts: Input | Sequence[Input],
        *,
        model: str,
        labels: Mapping[str, str] | None = None,
        priority: Priority = Priority.NORMAL,
        **options: Any,
    ) -> Completion:
        """Return the embeddings of one input or of several.

        Args:
            texts: A text, the tokens of one, or a list of either.
            model: The provider's name of it.
            labels: Who pays.
            priority: Of this call among those that wait.
            **options: More fields of the request's body, such as `dimensions`; None leaves one out.

        Returns:
            What the provider would have answered to this call alone: `data` holds one embedding
            for each input, in their order. Usage and cost are its share of the request's.

        Raises:
            ConfigError: If there is no input.
            ProviderError: If the request failed, or one of these inputs is refused.
        """
        inputs = _listed(texts)
        if not inputs:
            raise ConfigError(field="texts", value=texts, problem="must hold at least one input")
        self._counts["calls"] += 1
        self._counts["inputs"] += len(inputs)
        given = {name: value for name, value in options.items() if value is not None}
        call = EmbedCall(inputs, fields={"model": model, **given}, labels=labels or {})
        answer: Completion = await self._batcher.submit(call, priority, timeout=math.inf)
        return answer

    def get_stats(self) -> dict[str, Any]:
        """Return counts; `saved` are the requests that coalescing made needless."""
        counts = self._counts
        return {**counts, "saved": max(counts["calls"] - counts["requests"], 0)}

    def metrics(self) -> Iterator[Metric]:
        """Yield the present values, for `perfwright.monitoring`."""
        for name, text in (
            ("calls", "Calls of embed."),
            ("inputs", "Inputs that they brought."),
            ("duplicates", "Inputs that travelled once for several callers."),
            ("requests", "Requests that were made for them."),
        ):
            yield Metric(
                name=f"llm_embedding_{name}", kind="counter", value=self._counts[name], help=text
            )

    async def aclose(self) -> None:
        """Take no more calls, and return when those that wait are answered."""
        await self._batcher.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # --- A batch ----------------------------------------------------------------------------------

    async def _process(self, calls: list[EmbedCall]) -> list[Outcome]:
        groups: dict[str, list[EmbedCall]] = {}
        for call in calls:
            groups.setdefault(call.kind, []).append(call)
        async with asyncio.TaskGroup() as tasks:
            for group in groups.values():
                tasks.create_task(self._serve(group))
        return [call.outcome() for call in calls]

    async def _serve(self, calls: Sequence[EmbedCall]) -> None:
        """Answer calls of one kind."""
        unique = unique_rows(calls)
        self._counts["duplicates"] += sum(row.users - 1 for row in unique)
        async with asyncio.TaskGroup() as tasks:
            for part in packed(
                [row.weight for row in unique],
                max_inputs=self._max_inputs,
                max_weight=self._max_tokens,
            ):
                tasks.create_task(self._fill(unique[part.start : part.stop], like=calls[0]))

    async def _fill(self, rows: Sequence[Row], *, like: EmbedCall) -> None:
        """Ask for the embeddings of `rows`, in halves where that may help."""
        split = Split(rows, retry=True)
        failure: Exception | None = None
        for group in split:
            if failure is not None and split.hopeless:
                fail(group, failure)
                continue
            self._counts["requests"] += 1
            outcome = _checked(await outcome_of(self._send, like.request(group)), count=len(group))
            if isinstance(outcome, Completion):
                split.succeeded()
                share_out(outcome, group)
                continue
            failure = outcome
            if not _blames_an_input(outcome) or split.failed(group):
                fail(group, outcome)


def _listed(texts: Input | Sequence[Input]) -> list[Input]:
    if isinstance(texts, str) or (texts and isinstance(texts[0], int)):
        return [texts]  # type: ignore[list-item]  # the tokens of one text, as just seen
    return list(texts)  # type: ignore[arg-type]  # and here it is not that


def _checked(outcome: Outcome, *, count: int) -> Outcome:
    if isinstance(outcome, Completion):
        data = outcome.get("data")
        if not isinstance(data, list) or len(data) != count:
            problem = f"{count} inputs, but not as many embeddings"
            return BadAnswerError(endpoint=outcome.endpoint, problem=problem)
    return outcome


def _blames_an_input(error: Exception) -> bool:
    return isinstance(error, ProviderRefusedError) and error.status in _BLAMES_AN_INPUT
