"""Whether a thread that stands still has work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from types import CodeType
from typing import Literal

from perfwright.profiling.model import Frame

_NOTHING_TO_DO = frozenset(
    (
        ("base_events.py", "BaseEventLoop._run_once"),
        ("socketserver.py", "BaseServer.serve_forever"),
        ("thread.py", "_worker"),  # of concurrent.futures, also behind asyncio.to_thread
        ("pool.py", "worker"),
        ("pool.py", "Pool._handle_workers"),
        ("pool.py", "Pool._handle_tasks"),
        ("pool.py", "Pool._handle_results"),
        ("process.py", "_ExecutorManagerThread.run"),
        ("queues.py", "Queue._feed"),
        ("_worker_thread.py", "WorkerThread.run"),
        ("_threads.py", "WorkerThread.run"),
        ("threading.py", "Thread.join"),  # whom it waits for is seen in its own thread
        ("threading.py", "_shutdown"),
        ("thread.py", "ThreadPoolExecutor.shutdown"),
    )
)
_WAITING_FILES = frozenset(
    ("connection.py", "popen_fork.py", "queue.py", "selectors.py", "threading.py", "thread.py")
)
"""Of the standard library: frames there are passed on the way to who waits."""

_BLOCKING_FILES = _WAITING_FILES | {"socket.py", "socketserver.py", "ssl.py", "subprocess.py"}


def standing_still(frames: Sequence[Frame]) -> Literal["waiting", "idle"]:
    """Tell a thread that waits for its work to go on from one that has none.

    Args:
        frames: Outermost first, of a thread that is not on a CPU.
    """
    for frame in reversed(frames):
        file = PurePath(frame.function.file).name
        if (file, frame.function.name) in _NOTHING_TO_DO:
            return "idle"
        if file not in _WAITING_FILES:
            return "waiting"
    return "waiting"


def waits_by_name(code: CodeType) -> bool:
    """Guess whether a call made by `code` waits, where the system tells no CPU of threads."""
    return PurePath(code.co_filename).name in _BLOCKING_FILES
