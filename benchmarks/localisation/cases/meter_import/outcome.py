"""What became of the rows of a file."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Outcome:
    accepted: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)

    @contextmanager
    def guarded(self, number: int) -> Iterator[None]:
        """One bad row must not end the import."""
        try:
            yield
        except Exception:
            report = traceback.format_exc()
            self.refused.append((number, report.strip().splitlines()[-1]))
        else:
            self.accepted += 1

    def reasons(self) -> list[tuple[str, int]]:
        return Counter(text.split(":")[-1].strip() for _, text in self.refused).most_common()
