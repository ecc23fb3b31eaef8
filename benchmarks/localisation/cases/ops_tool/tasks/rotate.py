"""Which of the old log files may go."""

from __future__ import annotations

import fnmatch
import re

SERVICES = [f"service-{number}" for number in range(2_500)]
PATTERNS = [re.compile(fnmatch.translate(f"{name}-*.[0-9].gz")) for name in SERVICES]


def main(*files: str) -> str:
    return " ".join(file for file in files if any(pattern.match(file) for pattern in PATTERNS))
