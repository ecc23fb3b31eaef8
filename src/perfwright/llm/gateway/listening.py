"""Listening sockets: taken for every address of a host, and closed without losing who has come."""

from __future__ import annotations

import socket
from collections.abc import Iterator

_BACKLOG = 2_048


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


def waiting(one: socket.socket) -> Iterator[socket.socket]:
    """Accept the connections that wait; close the socket right after, or more will come.

    Their handshake is over, so their callers believe themselves served: closing the socket would
    reset them. A shorter queue keeps the next ones out, who will be refused instead.
    """
    one.listen(0)
    while True:
        try:
            accepted, _ = one.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        accepted.setblocking(False)
        yield accepted
