"""Files that go to other systems."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from exchange import Exchangeable


class Feed:
    def __init__(self, things: Iterable[Exchangeable]) -> None:
        self.things = things

    def rows(self) -> Iterator[dict[str, Any]]:
        for thing in self.things:
            yield thing.as_row()

    def write(self) -> str:
        raise NotImplementedError


class CsvFeed(Feed):
    def write(self) -> str:
        out, writer = io.StringIO(), None
        for row in self.rows():
            if writer is None:
                writer = csv.DictWriter(out, list(row), dialect="excel-tab")
                writer.writeheader()
            writer.writerow(row)
        return out.getvalue()


class LinesFeed(Feed):
    def write(self) -> str:
        return "\n".join(json.dumps(row, sort_keys=True) for row in self.rows())
