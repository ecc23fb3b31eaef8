"""No test sees the span that another one left open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from perfwright.monitoring.spans import CURRENT


@pytest.fixture(autouse=True)
def no_current_span() -> Iterator[None]:
    CURRENT.set(None)
    yield
    CURRENT.set(None)
