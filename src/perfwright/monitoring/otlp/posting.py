"""Requests to one receiver over one connection; blocks, so it runs in the exporter's thread."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from perfwright.core import ConfigError
from perfwright.monitoring.otlp.delivery import Reply

if TYPE_CHECKING:
    from http.client import HTTPConnection

_MAX_ANSWER = 65_536
_GZIP_FROM = 1_024
"""Bytes: below it a body hardly shrinks."""
_FASTEST = 1  # of gzip's levels: 1.7 us for a span where 6 takes 3.6, for 18 % more bytes


class Poster:
    """Sends bodies to paths below one base address.

    Args:
        base: `http://HOST:4318`, or with `https`, a user and password, and a path.
        headers: Sent with each request, such as a token.
        timeout_s: For each step of a request that waits: connect, send, receive.
        compress: Whether bodies are sent in gzip.

    Raises:
        ConfigError: If `base` is no address of HTTP, or a header holds a line break.
    """

    def __init__(
        self, base: str, *, headers: Mapping[str, str], timeout_s: float, compress: bool
    ) -> None:
        url = urlsplit(base)
        try:
            port = url.port
        except ValueError:
            port = -1
        if url.scheme not in ("http", "https") or not url.hostname or port == -1:
            problem = "must be http://HOST:PORT or https://HOST:PORT"
            raise ConfigError(field="endpoint", value=shown(base), problem=problem)
        for name, value in headers.items():
            if not f"{name}{value}".isprintable():
                problem = "holds a character that no header may hold"
                raise ConfigError(field="headers", value=name, problem=problem)
        self._secure, self._host, self._port = url.scheme == "https", url.hostname, port
        self._path = url.path.rstrip("/")
        self._headers = _authorization(url) | dict(headers)
        self._timeout_s, self._compress = timeout_s, compress
        self._connection: HTTPConnection | None = None
        self.bytes_sent = 0
        """Of bodies, as they went out."""

    def post(self, path: str, body: bytes, *, content_type: str) -> Reply:
        """Send a body; an error of the network is a reply without a status."""
        from http.client import HTTPException

        headers = {**self._headers, "Content-Type": content_type, "User-Agent": "perfwright"}
        if self._compress and len(body) >= _GZIP_FROM:
            body = gzip.compress(body, _FASTEST, mtime=0)
            headers["Content-Encoding"] = "gzip"
        fresh = self._connection is None
        try:
            return self._exchange(path, body, headers=headers)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            if fresh:
                return Reply(status=None, problem=f"{type(error).__name__}: {error}")
        try:  # a kept connection may have been closed by the receiver meanwhile: that is no failure
            return self._exchange(path, body, headers=headers)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            return Reply(status=None, problem=f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, path: str, body: bytes, *, headers: Mapping[str, str]) -> Reply:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request("POST", self._path + path, body=body, headers=headers)
        answer = self._connection.getresponse()
        held = answer.read(_MAX_ANSWER)
        if answer.will_close or answer.read(1):
            self.close()
        self.bytes_sent += len(body)
        return Reply(
            status=answer.status,
            retry_after=answer.headers.get("Retry-After"),
            body=held,
        )

    def _connect(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        kind = HTTPSConnection if self._secure else HTTPConnection
        return kind(self._host, self._port, timeout=self._timeout_s)


def _authorization(url: SplitResult) -> dict[str, str]:
    """Return the header that says the user and password of an address."""
    if url.username is None:
        return {}
    pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def shown(base: str) -> str:
    """Return an address without what may be a secret: its user, its query."""
    url = urlsplit(base)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
