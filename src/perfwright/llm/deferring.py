"""Calls for a provider's batch interface: paid from the budgets all together, or none is made."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfwright.core import Clock, SpendLimitError
from perfwright.llm.cost import CostControl, Hold
from perfwright.llm.endpoints import Endpoint
from perfwright.llm.replies import Completion
from perfwright.llm.requests import Request
from perfwright.llm.tracing import CallTrace
from perfwright.llm.transport import Call

if TYPE_CHECKING:
    from perfwright.llm.bulk import DeferredBatch, Progress

_USUAL_PER_S = 10.0
_PATIENCE_S = 1.0
"""For a ledger to answer. What would be waited for beyond are this very batch's own holds."""


class BatchHolds:
    """What is set aside for requests that wait for a provider's batch interface."""

    def __init__(self, costs: CostControl) -> None:
        self._costs = costs
        self._holds: dict[int, Hold] = {}

    async def take(self, requests: Sequence[Request], *, clock: Clock, rng: random.Random) -> None:
        """Set aside what they may cost.

        Raises:
            SpendLimitError: If a budget has not enough for all; nothing is set aside then.
        """
        trace = CallTrace("batch", start_s=clock.now(), rng=rng)
        try:
            for request in requests:
                prompt_tokens, completion_tokens = self._costs.estimate(request)
                call = Call(request, prompt_tokens, completion_tokens, trace)
                async with asyncio.timeout(_PATIENCE_S):
                    self._holds[id(request)] = await self._costs.reserve(call)
        except TimeoutError as error:
            self.release_all(requests)
            need, left = f"all {len(requests)} calls", "less than that"
            raise SpendLimitError(budget="of the batch", need=need, left=left) from error
        except BaseException:
            self.release_all(requests)
            raise

    def release(self, request: Request) -> None:
        """Give one back: it is called directly, with a hold of its own, or it is over."""
        hold = self._holds.pop(id(request), None)
        if hold is not None:
            hold.release()

    def release_all(self, requests: Sequence[Request]) -> None:
        """Give back what is left; what was answered has been charged."""
        for request in requests:
            self.release(request)


class Deferring:
    """The batch interface of one endpoint, with the adapter's budgets and direct calls."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        send: Callable[[Request], Awaitable[Completion]],
        costs: CostControl,
        has_budgets: bool,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._endpoint, self._send, self._costs = endpoint, send, costs
        self._holds, self._has_budgets = BatchHolds(costs), has_budgets
        self._clock, self._rng = clock, rng
        self._batch: DeferredBatch | None = None

    async def run(
        self,
        requests: Sequence[Request],
        *,
        deadline_s: float | None,
        on_progress: Callable[[Progress], object] | None,
        job: Path | str | None,
    ) -> list[Any]:
        """Return the outcomes in the requests' order."""
        if self._batch is None:
            self._batch = self._made()
        if self._has_budgets:
            await self._holds.take(requests, clock=self._clock, rng=self._rng)
        try:
            return await self._batch.run(
                requests, deadline_s=deadline_s, on_progress=on_progress, job=job
            )
        finally:
            self._holds.release_all(requests)

    def _made(self) -> DeferredBatch:
        """Kept for all batches: it learns how long they take."""
        from perfwright.llm.bulk import DeferredBatch

        endpoint = self._endpoint
        return DeferredBatch(
            self._called_directly,
            base_url=endpoint.base_url,
            api_key=endpoint.api_key,
            form=endpoint.form,
            name=endpoint.name,
            book=self._costs.charge,
            direct_per_s=endpoint.requests.per_s if endpoint.requests else _USUAL_PER_S,
            clock=self._clock,
        )

    async def _called_directly(self, request: Request) -> Completion:
        """Make a call whose batch did not answer in time."""
        self._holds.release(request)
        return await self._send(request)
