"""The storage at a provider, some way off."""

from __future__ import annotations

import hashlib
import time


class Bucket:
    def __init__(self, *, way_s: float, bytes_per_s: float) -> None:
        self.way_s, self.bytes_per_s = way_s, bytes_per_s

    def put(self, name: str, data: bytes) -> str:
        time.sleep(self.way_s + len(data) / self.bytes_per_s)
        return hashlib.sha1(name.encode() + data, usedforsecurity=False).hexdigest()
