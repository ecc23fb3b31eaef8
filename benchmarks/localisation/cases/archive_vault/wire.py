"""The connection to the other machine."""

from __future__ import annotations

import time


class Wire:
    def __init__(self, *, delay_s: float = 0.007, bytes_per_s: float = 3e6) -> None:
        self.delay_s = delay_s
        self.bytes_per_s = bytes_per_s

    def request(self, method: str, path: str, body: bytes) -> str:
        time.sleep(self.delay_s + len(body) / self.bytes_per_s)
        return f"{method} {path} {len(body)}"
