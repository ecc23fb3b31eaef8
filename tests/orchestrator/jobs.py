"""Functions that workers run; they live here because a worker imports them by name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perfwright.core import ConfigError

Progress = Callable[[str], None]


class OnlyHere:
    """Can be unpickled only in the process that pickled it, as a class of a user's script."""

    def __reduce__(self) -> tuple[Callable[[int], OnlyHere], tuple[int]]:
        return only_in, (os.getpid(),)


def only_in(pid: int) -> OnlyHere:
    if pid != os.getpid():
        raise ImportError("not known in this process")
    return OnlyHere()


def only_there(*, progress: Progress) -> OnlyHere:
    del progress
    return OnlyHere()


def double(*, number: int, progress: Progress) -> int:
    progress(f"doubling {number}")
    return 2 * number


def who(*, progress: Progress) -> int:
    del progress
    return os.getpid()


def die(*, progress: Progress) -> None:
    del progress
    os.kill(os.getpid(), signal.SIGKILL)


def leave(*, progress: Progress) -> None:
    del progress
    sys.exit(3)


def hang(*, note: str, progress: Progress) -> None:
    """Write down who hangs, then wait for ever."""
    Path(note).write_text(str(os.getpid()), encoding="utf-8")
    progress("hanging")
    threading.Event().wait()


def hang_with_child(*, note: str, progress: Progress) -> None:
    """Start a program, write down its process id, then wait for ever."""
    child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
    Path(note).write_text(str(child.pid), encoding="utf-8")
    progress("hanging")
    threading.Event().wait()


def refuse(*, progress: Progress) -> None:
    del progress
    raise ConfigError(field="workload", value="x", problem="is empty")


def stumble(*, progress: Progress) -> None:
    del progress
    raise ZeroDivisionError("by a bug")


def unpicklable(*, progress: Progress) -> Any:
    del progress
    return threading.Lock()


def chatter(*, progress: Progress) -> str:
    """Print as a target might: from Python, past Python, and from a child."""
    del progress
    print("x" * 100_000, flush=True)
    os.write(1, b"y" * 100_000)
    subprocess.run(["echo", "z"], check=True)
    return "done"


def large(*, size_bytes: int, progress: Progress) -> bytes:
    del progress
    return bytes(size_bytes)
