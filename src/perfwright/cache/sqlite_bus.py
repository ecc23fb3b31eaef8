"""Messages between the processes of one machine: a folder of Unix datagram sockets.

Each process has a socket in the folder and sends to all others; the kernel wakes them, nobody
polls. A message is either delivered or its receiver learns that it was not: one that does not read
is expelled, that is, its socket is removed from the folder, and it looks for its socket whenever it
has read all that there is.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_MOST_BYTES = 60_000
"""Of one message."""
_PATIENCE_S = 0.04
"""For a receiver whose buffer is full: within the 50 ms that an old value may be served."""
_BUFFER_BYTES = 2**20


class SocketBus:
    """This process's socket, and the way to the others.

    Args:
        folder: Where the sockets are; made if it is not there, for this user alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder_fd = -1
        self._own: socket.socket | None = None
        self._name = ""
        self.expelled = 0

    def open(self, hear: Callable[[bytes], None], *, missed: Callable[[], None]) -> None:
        """Listen on the running loop: `hear` gets messages, `missed` is told of lost ones."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder_fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        self._listen(hear, missed=missed)

    def close(self) -> None:
        """Leave."""
        if self._own is None:
            return
        self._hang_up(self._own)
        self._own = None
        self._remove(self._name)
        os.close(self._folder_fd)

    def send(self, payload: bytes, *, instead: bytes) -> None:
        """Send to every other process; `instead` if the message is too large.

        Waits up to 40 ms for each process that does not read, so call it in a worker thread.
        """
        data = payload if len(payload) <= _MOST_BYTES else instead
        for path in self._folder.iterdir():
            if path.name != self._name:
                self._send_to(path.name, data)

    def _listen(self, hear: Callable[[bytes], None], *, missed: Callable[[], None]) -> None:
        own = self._own = self._bound()

        def read() -> None:
            for payload in _waiting(own):
                hear(payload)
            if not os.path.exists(self._address(self._name)):  # noqa: PTH110  a name, not a file
                self._hang_up(own)
                self._listen(hear, missed=missed)
                self.expelled += 1
                missed()

        asyncio.get_running_loop().add_reader(own, read)

    def _bound(self) -> socket.socket:
        self._name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        own.setblocking(False)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        own.bind(self._address(self._name))
        return own

    def _hang_up(self, own: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(own)
        own.close()

    def _send_to(self, name: str, data: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.setblocking(False)
            way.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            try:
                way.connect(self._address(name))
            except OSError:  # its process is gone
                self._remove(name)
                return
            if _delivered(way, data):
                return
            self._remove(name)
            # Either this arrives, or the buffer is full: in both cases the receiver has something
            # to read after the removal, and looks for its socket when it has.
            with suppress(OSError):
                way.send(data)

    def _address(self, name: str) -> str:
        """Name a socket through the open folder: a socket's path may have 107 bytes only."""
        return f"/proc/self/fd/{self._folder_fd}/{name}"

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._folder_fd)


def _waiting(own: socket.socket) -> list[bytes]:
    payloads: list[bytes] = []
    with suppress(BlockingIOError):
        while True:
            payloads.append(own.recv(_MOST_BYTES + 1))
    return payloads


def _delivered(way: socket.socket, data: bytes) -> bool:
    """Send within the time; False when the receiver does not read, or is gone."""
    try:
        _, is_ready, _ = select.select((), (way,), (), _PATIENCE_S)
        return bool(is_ready) and way.send(data) == len(data)
    except OSError:
        return False
