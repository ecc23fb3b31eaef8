"""The real command line in child processes, and what must hold of everything it does."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PERFWRIGHT = str(Path(sys.executable).with_name("perfwright"))
MARK = "PERFWRIGHT_TEST_MARK"
"""Environment variable by which the processes of a test are found, whoever their parent is."""
LIMIT_S = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output as the one JSON document that it must be."""
        document: dict[str, Any] = json.loads(self.out)
        return document


def environment(mark: str) -> dict[str, str]:
    """The caller's environment without what would colour or redirect the output."""
    dropped = ("FORCE_COLOR", "PERFWRIGHT_LEDGER", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {MARK: mark, "COLUMNS": "200"}


def start(
    *arguments: str | Path,
    cwd: Path,
    mark: str = "none",
    before: Callable[[], None] | None = None,
    **variables: str,
) -> subprocess.Popen[str]:
    """Start perfwright in a process group of its own."""
    return subprocess.Popen(
        [PERFWRIGHT, *map(str, arguments)],
        cwd=cwd,
        env=environment(mark) | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=before,  # noqa: PLW1509 - these tests start no threads
    )


def run(
    *arguments: str | Path,
    cwd: Path,
    before: Callable[[], None] | None = None,
    **variables: str,
) -> Finished:
    """Run perfwright to its end; a traceback on standard error is a failure of every test."""
    process = start(*arguments, cwd=cwd, before=before, **variables)
    return finish(process)


def finish(process: subprocess.Popen[str]) -> Finished:
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert "Traceback" not in err, err
    return Finished(code=process.returncode, out=out, err=err)


def assert_refused(done: Finished, *says: str) -> None:
    """Check a clear error: exit code 2, one sentence that says these things, no result."""
    assert done.code == 2, done
    assert "error:" in done.err.lower(), done.err
    for part in says:
        assert part in done.err, done.err


def skip_if_too_noisy(done: Finished) -> None:
    """Leave a test of a verdict where the machine is so busy that there honestly is none."""
    reasons = [experiment["reason"] for experiment in done.document["experiments"]]
    if any("too noisy" in reason for reason in reasons):
        assert done.code in {1, 3}
        pytest.skip("this machine is too busy now: equal arms differ by over a quarter")


def fingerprint(path: Path) -> str:
    """Hash a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def marked(mark: str) -> list[int]:
    """The living processes whose environment carries a mark."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def wait_until(condition: Callable[[], bool], *, limit_s: float = 20.0) -> bool:
    """Wait for something that a process does, not longer than a while."""
    until = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
