"""How many connections the system allows, and whose they are."""

from __future__ import annotations

import subprocess
import sys

import pytest

from perfwright.llm.gateway.descriptors import for_callers

_RAISE = """
import resource
from perfwright.llm.gateway.descriptors import limit, raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 900))
print(limit(), raise_limit(), raise_limit(), resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_the_limit_is_raised_to_what_the_system_lets_it_have() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RAISE], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "200 900 900 (900, 900)\n"


@pytest.mark.parametrize("descriptors", [300, 1_024, 4_096, 2**20])
def test_callers_leave_more_to_the_provider_than_they_take(descriptors: int) -> None:
    callers = for_callers(descriptors)
    assert callers >= 1
    assert descriptors - callers > 1.2 * callers + 50


def test_there_is_always_a_place() -> None:
    assert for_callers(10) == 1
