"""What the tests of experiments share."""

from __future__ import annotations

import gc

import pytest


@pytest.fixture
def light_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the collection before every block: it walks the whole heap of the test runner."""
    monkeypatch.setattr(gc, "collect", lambda: 0)
