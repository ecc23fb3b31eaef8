"""Stops a private server when the process that needs it is gone, however it died.

python -m perfwright.agents.database.postgresql.probes.watchdog PID FOLDER
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from perfwright.core import is_alive

_EVERY_S = 1.0


def main(owner: int, folder: Path) -> None:
    """Wait until `owner` has ended or the folder is gone; then end the server."""
    while folder.exists() and is_alive(owner):
        time.sleep(_EVERY_S)  # noqa: TID251 - a process of its own, in which nothing else happens
    with suppress(OSError, ValueError):
        server = int((folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(server, signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


def detach() -> None:
    """Go on as a process that belongs to nobody; returns in that one only."""
    if os.fork():
        os._exit(0)
    os.setsid()


if __name__ == "__main__":
    detach()
    main(int(sys.argv[1]), Path(sys.argv[2]))
