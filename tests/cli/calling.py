"""Calls the command line within the process of the tests."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from perfwright.cli import main


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls perfwright as the console script does."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> Finished:
        self.monkeypatch.setattr(sys, "argv", ["perfwright", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        caught = self.capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Finished(ended.value.code, caught.out, caught.err)


def assert_refused(done: Finished, *says: str) -> None:
    """Check a clear error: exit code 2, a message that says these things, no result."""
    assert done.code == 2, done
    assert done.out == ""
    assert "error:" in done.err.lower(), done.err
    for part in says:
        assert part in done.err, done.err
