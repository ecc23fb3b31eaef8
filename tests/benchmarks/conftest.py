"""Benchmarks are programs, not a package: they find one another in their own folder."""

from __future__ import annotations

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Import benchmarks as `python benchmarks/NAME.py` does."""
    monkeypatch.syspath_prepend(BENCHMARKS)
