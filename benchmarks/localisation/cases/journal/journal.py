"""What happened, one line each."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any


class Journal:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries = 0

    def append(self, event: dict[str, Any]) -> None:
        body = json.dumps(event, sort_keys=True)
        line = f"{zlib.crc32(body.encode()):08x} {body}"
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
        self.entries += 1

    def replay(self) -> list[dict[str, Any]]:
        events = []
        with open(self.path, encoding="utf-8") as file:
            for line in file:
                checksum, _, body = line.rstrip("\n").partition(" ")
                if int(checksum, 16) == zlib.crc32(body.encode()):
                    events.append(json.loads(body))
        return events
