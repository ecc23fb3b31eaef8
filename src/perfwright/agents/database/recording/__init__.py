"""Records the SQL that a live program runs through sqlite3, as a workload file.

`hook/` runs inside the program; the other modules run in perfwright and put the lines together.
"""

from perfwright.agents.database.recording.merging import Recording
from perfwright.agents.database.recording.session import (
    DEFAULT_LIMIT,
    RecordOptions,
    record,
)

__all__ = [
    "DEFAULT_LIMIT",
    "RecordOptions",
    "Recording",
    "record",
]
