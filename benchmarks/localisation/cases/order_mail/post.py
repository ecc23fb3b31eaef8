"""Sends letters; the nightly jobs use it as well."""

from __future__ import annotations

import smtplib
import threading
from collections.abc import Callable
from contextlib import ExitStack
from email.message import EmailMessage


class Post:
    def __init__(self, host: str, port: int, *, timeout_s: float = 10) -> None:
        self.host = host
        self.port = port
        self.timeout_s = timeout_s

    def send(self, message: EmailMessage) -> int:
        with ExitStack() as stack:
            server = smtplib.SMTP(
                self.host, self.port, local_hostname="shop.example", timeout=self.timeout_s
            )
            stack.enter_context(server)
            return len(server.send_message(message))


class Outbox:
    """Counts what leaves, by way of any sender."""

    def __init__(self, send: Callable[[EmailMessage], int]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self.sent = 0
        self.refused = 0

    def __call__(self, message: EmailMessage) -> None:
        refused = self._send(message)
        with self._lock:
            self.sent += 1
            self.refused += refused
