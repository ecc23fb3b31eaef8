"""One provider for the tests of its answers; those of its faults start their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from perfwright.llm.testing import SimulatedProvider


@pytest.fixture(scope="module")
def shared() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(seed=1) as provider:
        yield provider
