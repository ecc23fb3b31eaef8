"""What holds for every test: a folder of its own, no outcome that hangs on the clock."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.postgresql", "tests.redis"]

# Hypothesis fails an example that takes over 200 ms, which on a busy machine is any example.
# pytest-timeout stops what hangs. `settings()` keeps the reproducible profile that CI=true selects.
settings.register_profile("perfwright", settings(), deadline=None)
settings.load_profile("perfwright")


# What a shell starts in the background is deaf to interrupts, and so are its children: but some
# tests interrupt what they have started.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty folder, so that no test writes or reads a ledger in the checkout."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
