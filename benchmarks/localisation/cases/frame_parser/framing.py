"""Messages on a stream: kind, size, payload."""

from __future__ import annotations

import struct
from collections.abc import Iterator

HEADER = struct.Struct(">BI")


def encode(kind: int, payload: bytes) -> bytes:
    return HEADER.pack(kind, len(payload)) + payload


class Decoder:
    def __init__(self) -> None:
        self.buffer = b""

    def feed(self, chunk: bytes) -> list[tuple[int, bytes]]:
        self.buffer += chunk
        return list(self.messages())

    def messages(self) -> Iterator[tuple[int, bytes]]:
        while len(self.buffer) >= HEADER.size:
            kind, size = HEADER.unpack_from(self.buffer)
            if len(self.buffer) < HEADER.size + size:
                break
            payload = self.buffer[HEADER.size : HEADER.size + size]
            self.buffer = self.buffer[HEADER.size + size :]
            yield kind, payload
