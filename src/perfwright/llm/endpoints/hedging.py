"""Two requests for one call: the second starts when the first is late, and one answer is enough.

The second one is replaced if it is lost; the first never is.

The first runs in the caller's own task, so that a call which is not late costs a timer and nothing
else. When the second one wins, the first is cancelled the way `asyncio.timeout` does it: the
caller's task is cancelled, and the cancellation is taken back where it arrives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from perfwright.core import ProviderError

T = TypeVar("T")

StartSecond = Callable[[], Coroutine[Any, Any, T] | float | None]
"""Returns the second request; or the seconds after which to ask again; None: there is to be none.
It is asked while the second is under way, too, which another one then replaces."""

_ASK_AGAIN_S = 0.25


class Race(Generic[T]):
    """One call's two requests.

    Args:
        second: Makes the second one.
        discard: Takes an answer that nobody needs, because both came.
        start: Runs the second one as a task that is looked after.
    """

    __slots__ = (
        "_caller",
        "_cancelled",
        "_discard",
        "_over",
        "_run_task",
        "_second",
        "_task",
        "_timer",
        "won",
    )

    def __init__(
        self,
        second: StartSecond[T],
        *,
        discard: Callable[[T], None],
        start: Callable[[Coroutine[Any, Any, T]], asyncio.Task[T]],
    ) -> None:
        self._second, self._discard, self._run_task = second, discard, start
        self._caller: asyncio.Task[Any] | None = None
        self._task: asyncio.Task[T] | None = None
        self._over = self._cancelled = False
        self.won = False
        """The answer is the second request's."""

    async def run(self, first: Awaitable[T], *, late_s: float) -> T:
        """Return the first answer there is; an error only if there will be none.

        Raises:
            ProviderError: The first request's, if both failed.
        """
        self._caller = asyncio.current_task()
        cancelling = self._caller.cancelling() if self._caller else 0
        self._timer = asyncio.get_running_loop().call_later(late_s, self._start)
        try:
            return await first
        except asyncio.CancelledError:
            if not self._take_back(cancelling):
                raise
            return self._answer()
        except ProviderError:
            if self._take_back(cancelling):
                return self._answer()
            answer = await self._wait_for_second()
            if answer is None:
                raise
            return answer
        finally:
            self._timer.cancel()
            self._take_back(cancelling)
            self._end()

    def _start(self) -> None:
        work = self._second()
        if isinstance(work, float):
            self._timer = asyncio.get_running_loop().call_later(work, self._start)
        elif work is not None:
            self._replace(self._run_task(work))
            self._timer = asyncio.get_running_loop().call_later(_ASK_AGAIN_S, self._start)

    def _replace(self, task: asyncio.Task[T]) -> None:
        before, self._task = self._task, task
        task.add_done_callback(self._second_ended)
        if before is not None:
            before.cancel()

    def _second_ended(self, task: asyncio.Task[T]) -> None:
        failed = task.cancelled() or task.exception() is not None
        if task is not self._task and not failed:
            self._discard(task.result())  # replaced in the moment of its answer
        elif not failed and not self._over and self._caller is not None:
            self.won = self._cancelled = True
            self._caller.cancel()

    def _take_back(self, cancelling: int) -> bool:
        """Take back our cancellation of the caller; False if there was none, or another's too."""
        if not self._cancelled or self._caller is None:
            return False
        self._cancelled = False
        return self._caller.uncancel() <= cancelling

    def _answer(self) -> T:
        assert self._task is not None  # noqa: S101 - `won` was set by it
        task, self._task = self._task, None
        return task.result()

    async def _wait_for_second(self) -> T | None:
        """Return its answer; None if there is no second request, or it failed too."""
        self._over = True
        if self._task is None:
            return None
        while not self._task.done():  # it may be replaced meanwhile
            await asyncio.wait({self._task})
        if self._task.cancelled() or self._task.exception() is not None:
            return None
        self.won = True
        return self._answer()

    def _end(self) -> None:
        self._over = True
        if self._task is None:
            return
        if not self._task.done():
            self._task.cancel()
        elif not self._task.cancelled() and self._task.exception() is None:
            self._discard(self._task.result())
