"""A thread that does something again and again beside the program."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Watcher:
    """Calls `look` every `interval_s` seconds from a thread of its own."""

    def __init__(self, look: Callable[[], None], *, interval_s: float, name: str) -> None:
        self._look, self._interval_s, self._name = look, interval_s, name
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._cost_s = 0.0

    def start(self) -> None:
        """Begin."""
        self._stop.clear()
        self._cost_s = 0.0
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """End; returns the CPU time that it took, in seconds."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None
        return self._cost_s

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._look()
        self._cost_s = time.thread_time()
