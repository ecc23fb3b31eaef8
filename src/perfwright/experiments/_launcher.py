"""Runs commands for `commands.py` from a process that is small enough not to be measured.

It is run as a script by a bare interpreter (no site packages) and imports nothing of
perfwright. Each line on standard input is a JSON list of arguments; the answers are the child's
process id, then a JSON list: wall seconds, CPU seconds, peak bytes, exit code. Output of the
child goes to the two file descriptors named on the command line.
"""

import json
import os
import sys
import time


def main(stdout_fd: int, stderr_fd: int) -> None:
    """Serve until standard input ends."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for line in sys.stdin:
        argv = json.loads(line)
        for descriptor in (stdout_fd, stderr_fd):
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
        start = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            _become(argv, streams=(nothing, stdout_fd, stderr_fd))
        _say(str(pid))
        _, status, usage = os.wait4(pid, 0)
        wall_s = time.perf_counter() - start
        cpu_s = usage.ru_utime + usage.ru_stime
        code = os.waitstatus_to_exitcode(status)
        _say(json.dumps([wall_s, cpu_s, usage.ru_maxrss * 1024, code]))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _become(argv: list[str], *, streams: tuple[int, int, int]) -> None:
    try:
        os.setpgid(0, 0)
        for own, stream in enumerate(streams):
            os.dup2(stream, own)
        os.execvp(argv[0], argv)  # noqa: S606 - running commands is what this is for
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
