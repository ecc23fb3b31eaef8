"""Files of tagged records."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

FORMATS = {1: struct.Struct("<H"), 2: struct.Struct("<I"), 3: struct.Struct("<d")}


class RecordFile:
    def __init__(self, path: Path) -> None:
        self.file = open(path, "rb", buffering=0)
        self.records_read = 0

    def read_exactly(self, size: int) -> bytes:
        return self.file.read(size)

    def number(self, kind: int) -> float:
        layout = FORMATS[kind]
        return layout.unpack(self.read_exactly(layout.size))[0]

    def records(self) -> Iterator[tuple[int, float]]:
        while tag := self.read_exactly(1):
            self.records_read += 1
            yield tag[0], self.number(tag[0])

    def close(self) -> None:
        self.file.close()


def write(path: Path, count: int) -> None:
    with open(path, "wb") as file:
        for number in range(count):
            kind = number % 3 + 1
            value = number * 0.5 if kind == 3 else number % 60_000
            file.write(bytes([kind]) + FORMATS[kind].pack(value))
