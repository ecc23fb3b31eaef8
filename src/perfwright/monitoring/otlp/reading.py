"""From the bytes of a request to its message, in either form, with bounds on what it unpacks to."""

from __future__ import annotations

import zlib
from typing import Any

from perfwright.core import TelemetryError
from perfwright.monitoring.otlp.writing import Protocol, Signal, message_class

GZIP = 31  # zlib's number for "a header of gzip, and the largest window"
_STEP_BYTES = 2**20


def unzip(raw: bytes, *, max_bytes: int) -> bytes:
    """Unpack gzip; memory stays below `max_bytes` however much is packed into `raw`.

    Raises:
        TooLargeError: If it holds more than `max_bytes`.
        TelemetryError: If it is no gzip, or ends early.
    """
    parts: list[bytes] = []
    left = max_bytes
    try:
        while raw:
            packed = zlib.decompressobj(GZIP)
            while raw and not packed.eof:
                part = packed.decompress(raw, min(_STEP_BYTES, left + 1))
                raw = packed.unconsumed_tail
                left -= len(part)
                parts.append(part)
                if left < 0:
                    raise TooLargeError(max_bytes=max_bytes)
            if not packed.eof:
                raise _unreadable("its gzip ends before its end")
            raw = packed.unused_data  # gzip allows several parts one after another
    except zlib.error as error:
        raise _unreadable(f"it is no gzip: {error}") from None
    return b"".join(parts)


class TooLargeError(TelemetryError):
    """A body holds more than a receiver takes."""

    def __init__(self, *, max_bytes: int) -> None:
        super().__init__(
            what="an OTLP request",
            problem=f"it holds more than {max_bytes:,} bytes",
            remedy="send smaller batches, or raise the receiver's max_body_bytes",
        )


def read_message(raw: bytes, *, signal: Signal, protocol: Protocol) -> Any:
    """Return the message that a body holds.

    Raises:
        TelemetryError: If it cannot be read.
        MissingExtraError: If it is protobuf, and opentelemetry-proto is not installed.
    """
    return _from_json(raw, signal) if protocol == "json" else _from_protobuf(raw, signal)


def _from_json(raw: bytes, signal: Signal) -> Any:
    import msgspec

    from perfwright.monitoring.otlp import shapes

    shape = shapes.TraceRequest if signal == "traces" else shapes.MetricsRequest
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(f"its JSON cannot be read: {error}") from None


def _from_protobuf(raw: bytes, signal: Signal) -> Any:
    read = message_class(signal).FromString
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return read(raw)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(f"its protobuf cannot be read: {error}") from None


def _unreadable(problem: str) -> TelemetryError:
    return TelemetryError(
        what="an OTLP request",
        problem=problem,
        remedy="send ExportTraceServiceRequest or ExportMetricsServiceRequest as its "
        "Content-Type says",
    )
