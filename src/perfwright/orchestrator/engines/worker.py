"""The process on the other side of the local engine: `python -m` this module.

It runs one call after another. A thread watches the pipe from the parent: when that ends, the
parent is gone, however it died, and so is the worker a moment later.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from typing import IO

from perfwright.core import PerfwrightError
from perfwright.orchestrator.engines.wire import Raised, Returned, Said, pack, read_frame, unpack


def main() -> None:
    """Serve calls until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a target prints must not end up among the frames
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    watcher = threading.Thread(target=_receive, args=(sys.stdin.buffer, calls), daemon=True)
    watcher.start()
    while True:
        _serve(calls.get(), answers)


def _receive(stream: IO[bytes], calls: queue.SimpleQueue[bytes]) -> None:
    while True:
        try:
            calls.put(read_frame(stream))
        except EOFError:
            os._exit(0)


def _serve(body: bytes, answers: IO[bytes]) -> None:
    def say(line: str) -> None:
        _send(answers, Said(line))

    answer: Returned | Raised
    try:
        call = unpack(body)  # here and not in the watcher: the class may not be importable
        answer = Returned(call.function(**call.arguments, progress=say))
        frame = pack(answer)
    except Exception as error:  # noqa: BLE001 - the boundary: recorded with its traceback
        expected = isinstance(error, PerfwrightError)  # then its text says all
        answer = Raised(
            error=str(error) if expected else f"{type(error).__name__}: {error}",
            traceback=traceback.format_exc(),
            expected=expected,
            remedy=error.remedy if isinstance(error, PerfwrightError) else "",
        )
        frame = pack(answer)
    answers.write(frame)
    answers.flush()


def _send(answers: IO[bytes], message: Said) -> None:
    answers.write(pack(message))
    answers.flush()


if __name__ == "__main__":
    main()
