"""Draws through a program of the system."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

PROGRAM = ("/bin/sh", "-c", "sleep 0.035; tr '0-9A-F' '|.:;!iIlL1/+-=#%'")


def through(command: Sequence[str], text: str) -> str:
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout


class Drawer:
    def __init__(self, command: Sequence[str] = PROGRAM) -> None:
        self.command = command

    def draw(self, text: str, *, height: int) -> list[str]:
        bars = through(self.command, text.encode().hex().upper())
        return [bars] * height
