"""The command line, called in process, with a terminal that is wide enough for its sentences."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.cli.calling import Caller


@pytest.fixture
def perfwright(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Caller]:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.delenv("PERFWRIGHT_LEDGER", raising=False)
    before = signal.getsignal(signal.SIGTERM)
    yield Caller(monkeypatch, capsys)
    signal.signal(signal.SIGTERM, before)
