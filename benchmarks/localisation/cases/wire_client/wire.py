"""The protocol of a store of counters: commands of parts, each with its length before it."""

from __future__ import annotations

import socket


class Wire:
    def __init__(self, peer: socket.socket) -> None:
        self.peer = peer
        self.commands = 0

    @staticmethod
    def encoded(part: str | int | bytes) -> bytes:
        if isinstance(part, bytes):
            return part
        return str(part).encode()

    def send(self, *parts: str | int | bytes) -> None:
        self.peer.sendall(b"*%d\r\n" % len(parts))
        for part in parts:
            data = self.encoded(part)
            self.peer.sendall(b"$%d\r\n" % len(data))
            self.peer.sendall(data)
            self.peer.sendall(b"\r\n")
        self.commands += 1

    def close(self) -> None:
        self.peer.shutdown(socket.SHUT_WR)
