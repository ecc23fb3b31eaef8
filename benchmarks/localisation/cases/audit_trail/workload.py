"""Loads a sheet with a log beside it."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from loader import load, sample


def run() -> object:
    with tempfile.TemporaryDirectory() as folder:
        handler = logging.FileHandler(Path(folder) / "office.log")
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        office = logging.getLogger("office")
        office.addHandler(handler)
        office.setLevel(logging.INFO)
        sheet = load(sample(40_000), "ann")
        office.removeHandler(handler)
        handler.close()
    return [round(sheet.total(column), 2) for column in "ABCD"], sorted(sheet.dirty)
