"""Frames of a field bus."""

from __future__ import annotations

import struct

from checksum import adler

HEAD = struct.Struct(">HHI")
TAIL = struct.Struct(">I")


class DamagedError(ValueError):
    pass


def seal(device: int, function: int, payload: bytes) -> bytes:
    body = HEAD.pack(device, function, len(payload)) + payload
    return body + TAIL.pack(adler(body))


def unseal(frame: bytes) -> tuple[int, int, bytes]:
    body, (checksum,) = frame[: -TAIL.size], TAIL.unpack(frame[-TAIL.size :])
    if adler(body) != checksum:
        raise DamagedError(f"frame of {len(frame)} bytes")
    device, function, size = HEAD.unpack_from(body)
    return device, function, body[HEAD.size : HEAD.size + size]
