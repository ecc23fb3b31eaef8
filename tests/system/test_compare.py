"""`compare` from the outside: three verdicts, one document."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.system.commands import run

FAST, SLOW = "true", f"{sys.executable} -S -c 'sum(range(400000))'"
KEYS = {"verdict", "ratio", "interval", "pairs", "noise_floor"}


@pytest.mark.parametrize(
    ("a", "b", "verdict", "code"),
    [
        (SLOW, FAST, "b_faster", 0),
        (FAST, SLOW, "a_faster", 1),
        ("sleep 0", "sleep 0.0", "inconclusive", 3),
    ],
)
def test_compare_gives_one_of_three_verdicts(
    a: str, b: str, verdict: str, code: int, tmp_path: Path
) -> None:
    done = run("compare", "--json", "--pairs", "24", a, b, cwd=tmp_path)
    assert (done.document["verdict"], done.code) == (verdict, code)
    assert set(done.document) >= KEYS


def test_a_failing_command_is_an_error(tmp_path: Path) -> None:
    done = run("compare", "--json", "--pairs", "22", "false", "true", cwd=tmp_path)
    assert done.code == 2
    assert "'false' ended with exit code 1" in done.document["error"]
    assert "'false' ended with exit code 1" in done.err
