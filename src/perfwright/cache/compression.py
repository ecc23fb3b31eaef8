"""Codecs for large values: zstd, lz4 where they are installed, zlib always."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, Protocol

from perfwright.core import ConfigError, MissingExtraError

CodecName = Literal["zstd", "lz4", "zlib"]

_ZSTD_LEVEL = 3
_ZLIB_LEVEL = 1  # 4 KB of text: ratio 3.9 in 36 us; higher levels cost more than they save


class CodecError(Exception):
    """The bytes are not what the codec wrote, or hold more than they say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One way of making bytes smaller."""

    number: int
    """Stands in the envelope, so it is never reused."""
    name: CodecName
    compress: Callable[[bytes], bytes]
    decompress: Callable[[bytes, int], bytes]
    """Takes the bytes and the exact size of what they hold, and never makes more than that."""


def choose_codec(name: CodecName | None) -> Codec:
    """Return the named codec, or without a name the best one that is installed.

    Raises:
        ConfigError: If there is no codec of that name.
        MissingExtraError: If its library is not installed.
    """
    if name is None:
        name = "zstd" if find_spec("zstandard") else "lz4" if find_spec("lz4") else "zlib"
    if name not in _MAKERS:
        raise ConfigError(field="compression", value=name, problem=f"choose of {sorted(_MAKERS)}")
    return _MAKERS[name]()


def decoders() -> dict[int, Codec]:
    """Every codec that can be read here, by its number: another process may write another one."""
    found = [_zlib()]
    if find_spec("zstandard"):
        found.append(_zstd())
    if find_spec("lz4"):
        found.append(_lz4())
    return {codec.number: codec for codec in found}


def _zlib() -> Codec:
    def decompress(data: bytes, size: int) -> bytes:
        reader = zlib.decompressobj()
        try:
            value = reader.decompress(data, size + 1)
        except zlib.error as error:
            raise CodecError(str(error)) from error
        return _sized(value, size)

    return Codec(
        number=1,
        name="zlib",
        compress=lambda data: zlib.compress(data, _ZLIB_LEVEL),
        decompress=decompress,
    )


class _Zstd(Protocol):
    """What is used of the compressor and the decompressor; the library's objects are reusable."""

    def compress(self, data: bytes) -> bytes: ...


def _zstd() -> Codec:
    try:
        import zstandard
    except ImportError as error:
        raise MissingExtraError(feature="compression with zstd", extra="compression") from error
    writer: _Zstd = zstandard.ZstdCompressor(level=_ZSTD_LEVEL)
    reader = zstandard.ZstdDecompressor()

    def decompress(data: bytes, size: int) -> bytes:
        try:
            if zstandard.frame_content_size(data) != size:  # else its own claim would be allocated
                raise CodecError("the frame holds another number of bytes than it should")
            return _sized(reader.decompress(data), size)
        except zstandard.ZstdError as error:
            raise CodecError(str(error)) from error

    return Codec(number=2, name="zstd", compress=writer.compress, decompress=decompress)


def _lz4() -> Codec:
    try:
        from lz4 import block  # type: ignore[import-untyped]  # ships no types
    except ImportError as error:
        raise MissingExtraError(feature="compression with lz4", extra="compression") from error

    def compress(data: bytes) -> bytes:
        return bytes(block.compress(data, store_size=False))

    def decompress(data: bytes, size: int) -> bytes:
        try:
            return _sized(bytes(block.decompress(data, uncompressed_size=size)), size)
        except (block.LZ4BlockError, ValueError, MemoryError, OverflowError) as error:
            raise CodecError(str(error)) from error

    return Codec(number=3, name="lz4", compress=compress, decompress=decompress)


def _sized(value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise CodecError(f"{len(value)} bytes where {size} were announced")
    return value


_MAKERS: dict[str, Callable[[], Codec]] = {"zstd": _zstd, "lz4": _lz4, "zlib": _zlib}
