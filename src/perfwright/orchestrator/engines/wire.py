"""Frames between the local engine and its workers: a length, then a pickle.

Both ends are the same program run by the same user on one machine, so pickle is safe here.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

HEADER = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Call:
    """Run a function."""

    function: Any
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """A line of progress."""

    line: str


@dataclass(frozen=True, slots=True)
class Returned:
    """The function's value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Raised:
    """The function's exception, as text: not every exception survives pickling."""

    error: str
    traceback: str
    expected: bool
    remedy: str = ""


Answer = Said | Returned | Raised


def pack(message: object) -> bytes:
    """Turn a message into one frame."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body


def read_frame(stream: IO[bytes]) -> bytes:
    """Read the body of one frame from a blocking stream.

    Raises:
        EOFError: If the stream ended.
    """
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        raise EOFError
    (length,) = HEADER.unpack(header)
    body = stream.read(length)
    if len(body) < length:
        raise EOFError
    return body


def unpack(body: bytes) -> Any:
    """Turn the body of a frame into its message; raises whatever its classes raise."""
    return pickle.loads(body)  # noqa: S301 - written by our own parent or child
