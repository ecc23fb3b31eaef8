"""Runs a command as if it had been started without us: same streams, signals and exit code."""

from __future__ import annotations

import errno
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from perfwright.core import ConfigError

_FORWARDED = frozenset(
    {
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTERM,
        signal.SIGUSR1,
        signal.SIGUSR2,
    }
)
_POLL_S = 1.0  # in case the signal of the child's end is lost


@contextmanager
def held_signals() -> Iterator[set[int]]:
    """Hold signals back, so that what was recorded is kept; yields those held before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED | {signal.SIGCHLD})
    try:
        yield {int(number) for number in before}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(argv: Sequence[str], *, environ: Mapping[str, str], mask: set[int]) -> int:
    """Run a command to its end, passing on the signals that we get.

    Args:
        argv: The command.
        environ: Its environment.
        mask: The signals that it shall find blocked; ours are held back by `held_signals`.

    Returns:
        Its exit code, or 128 and the number of the signal that ended it, as shells have it.

    Raises:
        ConfigError: If it cannot be started.
    """
    try:
        process = subprocess.Popen(
            argv,
            env=environ,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask),  # noqa: PLW1509 - there are no threads
        )
    except OSError as error:
        raise _not_started(argv, error) from None
    while process.poll() is None:
        received = signal.sigtimedwait(_FORWARDED | {signal.SIGCHLD}, _POLL_S)
        if received is None or received.si_signo == signal.SIGCHLD:
            continue
        # A positive code means the terminal: it has sent Ctrl-C to the program as well.
        if received.si_code <= 0:
            with suppress(ProcessLookupError):
                process.send_signal(received.si_signo)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def check_command(argv: Sequence[str]) -> None:
    """See that there is such a command.

    Raises:
        ConfigError: If there is none, or it cannot be executed.
    """
    if not argv:
        raise ConfigError(
            field="COMMAND", value="", problem="is missing; perfwright record -- python app.py"
        )
    if shutil.which(argv[0]) is None:
        exists = Path(argv[0]).exists()
        number = errno.EACCES if exists else errno.ENOENT
        raise _not_started(argv, OSError(number, ""))


def _not_started(argv: Sequence[str], error: OSError) -> ConfigError:
    name = argv[0]
    if error.errno == errno.ENOENT:
        problem = "no such command"
        if " " in name:
            problem += "; give command and arguments without quotes around them all"
    elif error.errno in {errno.EACCES, errno.ENOEXEC}:
        problem = "cannot be executed"
        if name.endswith(".py"):
            problem += f"; start it with python {name}"
    else:
        problem = f"cannot be started ({error.strerror or error})"
    return ConfigError(field="COMMAND", value=name, problem=problem)
