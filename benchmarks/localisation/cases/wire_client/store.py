"""The store, as far as it matters here: it reads as much as there is, and adds."""

from __future__ import annotations

import socket
from collections import Counter
from threading import Thread


class Store(Thread):
    def __init__(self, connection: socket.socket) -> None:
        super().__init__(name="store", daemon=True)
        self.connection = connection
        self.totals: Counter[str] = Counter()

    def run(self) -> None:
        received = []
        while data := self.connection.recv(1 << 18):
            received.append(data)
        words = b"".join(received).split(b"\r\n")
        # *4, then for each part its length and itself
        for start in range(0, len(words) - 1, 9):
            _, _, _, _, key, _, value, _, count = words[start : start + 9]
            self.totals[f"{key.decode()} {value.decode()}"] += int(count)
