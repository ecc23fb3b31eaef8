"""Listening sockets: taken for every address of a host, and closed without losing who has come."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

_BACKLOG = 2_048
_AT_ONCE = 128
"""Accepted in one turn of the loop, so that open calls go on."""
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def listen(host: str, port: int, *, reuse_port: bool = False) -> list[socket.socket]:
    """Listen on all addresses that a host has here, on one port; 0 takes a free one.

    Raises:
        OSError: If one of them cannot be had.
    """
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    held: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            one = socket.socket(family, kind, protocol)
            held.append(one)
            _set_up(one, reuse_port=reuse_port)
            one.bind((address[0], port, *address[2:]))
            port = one.getsockname()[1]  # the others take the same
            one.listen(_BACKLOG)
    except OSError as error:
        for one in held:
            one.close()
        problem = f"cannot listen on {host}, port {port}: {(error.strerror or '').lower()}"
        raise OSError(error.errno, problem) from None
    return held


def _set_up(one: socket.socket, *, reuse_port: bool) -> None:
    one.setblocking(False)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if one.family == socket.AF_INET6:  # so that both families of a host can have the port
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


class Acceptor:
    """Accepts connections while there is a place for them; the others wait in the kernel's queue.

    Args:
        sockets: That listen.
        places: How many connections there may be at once.
        make: Makes what handles one.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        *,
        places: int,
        make: Callable[[], asyncio.BaseProtocol],
    ) -> None:
        self._sockets, self._make = sockets, make
        self._places, self._taken = places, 0
        self._loop = asyncio.get_running_loop()
        self._joining: set[asyncio.Task[object]] = set()
        self.is_full = False
        """Nothing is accepted until a connection ends."""

    def start(self) -> None:
        """Accept who comes."""
        self.is_full = False
        for one in self._sockets:
            self._loop.add_reader(one, self._accept, one)

    def release(self) -> None:
        """A connection has ended."""
        self._taken -= 1
        if self.is_full:
            self.start()

    async def close(self) -> None:
        """Take those who wait, whose handshake is over, and close the sockets: others are refused.

        They believe themselves served: closing the socket alone would reset them. A shorter queue
        keeps the next ones out.
        """
        self._pause()
        for one in self._sockets:
            one.listen(0)
            with suppress(OSError):  # no descriptor is left: those who still wait are reset
                while self._take(one):
                    pass
            one.close()
        self.is_full, self._sockets = False, ()
        if self._joining:
            await asyncio.wait(self._joining)

    def _pause(self) -> None:
        for one in self._sockets:
            self._loop.remove_reader(one)
        self.is_full = True

    def _accept(self, one: socket.socket) -> None:
        try:
            for _ in range(_AT_ONCE):
                if self._taken >= self._places:
                    self._pause()
                    return
                if not self._take(one):
                    return
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            self._pause()

    def _take(self, one: socket.socket) -> bool:
        """Accept a connection, if one waits."""
        try:
            accepted, _ = one.accept()
        except BlockingIOError:
            return False
        except ConnectionAbortedError:
            return True
        accepted.setblocking(False)
        self._taken += 1
        joining = self._loop.create_task(self._loop.connect_accepted_socket(self._make, accepted))
        self._joining.add(joining)
        joining.add_done_callback(self._joining.discard)
        return True
