"""Several processes on one port."""

from __future__ import annotations

import signal
import subprocess
import sys

_STARTING = """
import time
from perfwright.core import SystemClock
from perfwright.llm.gateway.workers import Workers

def work(ready):
    ready(0)  # but it has set up no handler yet
    time.sleep(60)
    return 0

crew = Workers(2, work=work, on_ready=lambda: print("ready", flush=True), clock=SystemClock())
raise SystemExit(crew.run())
"""


def test_workers_that_are_told_to_stop_before_they_can_hear_it_end_well() -> None:
    with subprocess.Popen([sys.executable, "-c", _STARTING], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20.0) == 0
