"""What the machine is, for the record."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Mapping


def describe_machine() -> Mapping[str, float | str]:
    """Name the system, the processors, the load now, and the versions that matter."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "cpus": os.cpu_count() or 1,
        "load_1m": os.getloadavg()[0],
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
