"""Describes the records of a measurement."""

from __future__ import annotations

import tempfile
from pathlib import Path

from records import RecordFile, write
from statistics_of import describe


def run() -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.bin"
        write(path, 900_000)
        file = RecordFile(path)
        result = describe(file.records())
        file.close()
    return result, file.records_read
