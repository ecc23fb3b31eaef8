"""What `perfwright doctor` prints a line of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    needed_for: str = ""
    remedy: str = ""
    """The command that adds what is missing."""
    required: bool = False
