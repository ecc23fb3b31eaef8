"""A ledger for every run, and no waiting for the collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfwright.experiments.ledger import Ledger
from tests.optimizer.fakes import open_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def short_collections() -> Iterator[None]:
    """Set aside what exists: the sampler collects before every block, 50 ms in a test process."""
    gc.freeze()
    yield
    gc.unfreeze()
