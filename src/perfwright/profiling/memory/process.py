"""The size of this process."""

from __future__ import annotations

from pathlib import Path

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Return the memory that the process has in RAM; 0 where the system does not say."""
    import resource

    try:
        pages = int(_STATM.read_bytes().split()[1])
    except OSError:
        return 0
    return pages * resource.getpagesize()
