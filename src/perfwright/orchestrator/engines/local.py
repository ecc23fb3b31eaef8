"""Runs tasks in worker processes on this machine."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from contextlib import suppress

from perfwright.core import Clock
from perfwright.orchestrator.engines.wire import (
    HEADER,
    Answer,
    Call,
    Raised,
    Returned,
    Said,
    pack,
    unpack,
)
from perfwright.orchestrator.tasks import Task, TaskProgress, TaskResult

_ERROR_TAIL = 4000


class _WorkerDiedError(Exception):
    """The worker ended without an answer."""


class _Worker:
    """One worker process, reused as long as its tasks end well."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> _Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "perfwright.orchestrator.engines.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        return cls(process)

    async def call(self, frame: bytes, progress: TaskProgress | None) -> Returned | Raised:
        assert self._process.stdin is not None  # noqa: S101 - pipes, as asked for in start()
        self._process.stdin.write(frame)
        await self._process.stdin.drain()
        while True:
            answer = await self._receive()
            if not isinstance(answer, Said):
                return answer
            if progress is not None:
                progress(answer.line)

    async def _receive(self) -> Answer:
        assert self._process.stdout is not None  # noqa: S101
        try:
            (length,) = HEADER.unpack(await self._process.stdout.readexactly(HEADER.size))
            body = await self._process.stdout.readexactly(length)
        except asyncio.IncompleteReadError as error:
            code = await self._process.wait()
            raise _WorkerDiedError(f"exit code {code}") from error
        try:
            answer: Answer = unpack(body)
        except Exception as error:  # noqa: BLE001 - the boundary: a class may raise anything
            return _failure(f"the answer does not unpickle: {type(error).__name__}: {error}")
        return answer

    async def end(self) -> None:
        """Kill the worker with everything that it started, and wait for it."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        transport = getattr(self._process, "_transport", None)
        if transport is not None:
            transport.close()  # else its pipes are closed by the collector, with a warning


class LocalEngine:
    """The engine that needs nothing but this machine."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()

    async def run(self, task: Task, *, progress: TaskProgress | None = None) -> TaskResult:
        """Run a task; a crash or a time-out costs its worker and is reported, nothing more."""
        started = self._clock.now()
        try:
            frame = pack(Call(task.function, task.arguments))
        except Exception as error:  # noqa: BLE001 - the boundary: an agent may raise anything
            problem = f"{task.name} cannot be sent to a worker: {type(error).__name__}: {error}"
            return TaskResult(name=task.name, error=problem, traceback=traceback.format_exc())
        worker = self._idle.pop() if self._idle else await _Worker.start()
        self._busy.add(worker)
        answer: Returned | Raised
        healthy = False
        try:
            async with asyncio.timeout(task.timeout_s):
                answer = await worker.call(frame, progress)
            healthy = True
        except TimeoutError:
            answer = _failure(f"TimeoutError: {task.name} took longer than {task.timeout_s:g}s")
        except (_WorkerDiedError, BrokenPipeError, ConnectionResetError) as error:
            answer = _failure(f"ProcessDied: {task.name} ended without an answer ({error})")
        finally:
            self._busy.discard(worker)
            if healthy:
                self._idle.append(worker)
            else:
                await worker.end()
        elapsed_s = self._clock.now() - started
        if isinstance(answer, Returned):
            return TaskResult(name=task.name, value=answer.value, elapsed_s=elapsed_s)
        return TaskResult(
            name=task.name,
            error=answer.error,
            traceback=answer.traceback[-_ERROR_TAIL:],
            expected=answer.expected,
            remedy=answer.remedy,
            elapsed_s=elapsed_s,
        )

    async def close(self) -> None:
        """End every worker; idempotent."""
        for worker in (*self._idle, *self._busy):
            await worker.end()
        self._idle.clear()
        self._busy.clear()


def _failure(error: str) -> Raised:
    return Raised(error=error, traceback="", expected=False)
