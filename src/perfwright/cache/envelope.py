"""What a value looks like in a shared tier: a versioned header, tags, payload, and a checksum.

    magic 2 | version 1 | codec 1 | grace 4 | serializer 1 | cost 4 | size 4 | tags 2 | write 8 |
    checksum 4, then the tags as msgpack, then the payload; numbers big-endian, times in ms.

The first eight bytes are also read by the Lua scripts: `grace` is how long the tier keeps the value
after it has expired, so that remaining lifetime minus grace is what is left of its TTL, by the
server's clock alone. No two machines' clocks are ever compared.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from perfwright.cache.compression import Codec, CodecError, decoders
from perfwright.cache.serializers import Serializer

MAGIC = b"PW"
VERSION = 1
PLAIN = 0
"""The codec number of a payload that is not compressed."""

_HEADER = struct.Struct(">2sBBIBIIH8sI")
_CHECKED = struct.Struct(">2sBBIBIIH8s")
_WRITE_ID = slice(_CHECKED.size - 8, _CHECKED.size)
_MOST_MS = 2**32 - 1
_MOST_TAG_BYTES = 2**16 - 1

_encode_tags = msgspec.msgpack.Encoder().encode
_decode_tags = msgspec.msgpack.Decoder(dict[str, bytes]).decode


class Damage(StrEnum):
    """Why a value of the shared tier was treated as a miss."""

    FOREIGN = "foreign"
    """Not ours, of another serializer, or of a codec that is not installed here."""
    NEWER = "newer"
    """Written by a later version of this library."""
    CORRUPT = "corrupt"
    """Truncated, altered, or not decodable."""
    TOO_LARGE = "too_large"
    """Says that it holds more than `max_value_bytes`."""


class DamagedError(Exception):
    """A value of the shared tier that cannot be used; private, it becomes a counted miss."""

    def __init__(self, damage: Damage) -> None:
        self.damage = damage
        super().__init__(damage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """A value read back."""

    value: object
    cost_s: float
    """What its factory took."""
    tag_versions: Mapping[str, bytes]
    size_bytes: int
    """Of the payload before compression: what the value takes in memory, roughly."""
    write_id: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A value ready to be written."""

    blob: bytes
    size_bytes: int
    compressed: bool
    write_id: bytes
    """Random: tells this write of a key from every other one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Packs and unpacks; pure."""

    serializer: Serializer
    codec: Codec
    threshold_bytes: int
    """Payloads from this size on are compressed, if that makes them smaller."""
    max_value_bytes: int
    readable: Mapping[int, Codec] = field(default_factory=decoders)

    def pack(
        self, value: object, *, grace_s: float, cost_s: float, tag_versions: Mapping[str, bytes]
    ) -> Packed:
        """Make the bytes to store.

        Raises:
            UncacheableValueError: If the serializer would not return the value as it is.
        """
        payload = self.serializer.dumps(value)
        body, codec = self._squeezed(payload)
        tags = _encode_tags(dict(tag_versions)) if tag_versions else b""
        grace, cost, size = _milliseconds(grace_s), _milliseconds(cost_s), len(payload)
        write_id, kind = uuid.uuid4().bytes[:8], self.serializer.number
        checked = _CHECKED.pack(MAGIC, VERSION, codec, grace, kind, cost, size, len(tags), write_id)
        checksum = zlib.crc32(body, zlib.crc32(tags, zlib.crc32(checked)))
        blob = b"".join((checked, checksum.to_bytes(4, "big"), tags, body))
        compressed = codec != PLAIN
        return Packed(blob=blob, size_bytes=size, compressed=compressed, write_id=write_id)

    def unpack(self, blob: bytes) -> Unpacked:
        """Read a stored value back.

        Raises:
            DamagedError: If it cannot be used.
        """
        if blob[:2] != MAGIC or len(blob) < 3:
            raise DamagedError(Damage.FOREIGN)
        if blob[2] != VERSION:
            raise DamagedError(Damage.NEWER if blob[2] > VERSION else Damage.FOREIGN)
        if len(blob) < _HEADER.size:
            raise DamagedError(Damage.CORRUPT)
        _, _, codec, _, serializer, cost_ms, size, tag_bytes, write_id, checksum = (
            _HEADER.unpack_from(blob)
        )
        rest = memoryview(blob)[_HEADER.size :]
        if zlib.crc32(rest, zlib.crc32(blob[: _CHECKED.size])) != checksum:
            raise DamagedError(Damage.CORRUPT)
        if serializer != self.serializer.number:
            raise DamagedError(Damage.FOREIGN)
        if size > self.max_value_bytes:
            raise DamagedError(Damage.TOO_LARGE)
        payload = self._stretched(bytes(rest[tag_bytes:]), codec=codec, size=size)
        return Unpacked(
            value=self._loaded(payload),
            cost_s=cost_ms / 1_000,
            tag_versions=_tags(bytes(rest[:tag_bytes])),
            size_bytes=size,
            write_id=write_id,
        )

    def _squeezed(self, payload: bytes) -> tuple[bytes, int]:
        if len(payload) < self.threshold_bytes:
            return payload, PLAIN
        small = self.codec.compress(payload)
        return (small, self.codec.number) if len(small) < len(payload) else (payload, PLAIN)

    def _stretched(self, body: bytes, *, codec: int, size: int) -> bytes:
        if codec == PLAIN:
            return body
        reader = self.readable.get(codec)
        if reader is None:
            raise DamagedError(Damage.FOREIGN)
        try:
            return reader.decompress(body, size)
        except CodecError as error:
            raise DamagedError(Damage.CORRUPT) from error

    def _loaded(self, payload: bytes) -> object:
        try:
            return self.serializer.loads(payload)
        except Exception as error:
            raise DamagedError(Damage.CORRUPT) from error


def write_id_of(blob: bytes) -> bytes:
    """Return the mark of a packed value's write, without unpacking it."""
    return blob[_WRITE_ID]


def grace_s_of(blob: bytes) -> float:
    """Return how long a packed value is kept after its end; 0 if it is not one of ours."""
    if blob[:2] != MAGIC or len(blob) < 8:
        return 0.0
    return int.from_bytes(blob[4:8], "big") / 1_000


def _tags(packed: bytes) -> Mapping[str, bytes]:
    try:
        return _decode_tags(packed) if packed else {}
    except msgspec.DecodeError as error:
        raise DamagedError(Damage.CORRUPT) from error


def _milliseconds(seconds: float) -> int:
    return min(_MOST_MS, round(seconds * 1_000))
