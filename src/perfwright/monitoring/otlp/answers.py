"""What a receiver answers, and how a sender reads it.

Source: "OTLP/HTTP Response" of the OTLP specification: a success has the message of its service in
the form of the request, a failure has google.rpc.Status.
"""

from __future__ import annotations

from collections.abc import Mapping

from perfwright.monitoring.exposition import clean
from perfwright.monitoring.otlp.values import Tree
from perfwright.monitoring.otlp.writing import Protocol, Signal, message_class, to_bytes

_REJECTED: dict[Signal, str] = {"traces": "rejected_spans", "metrics": "rejected_data_points"}
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 413: 8, 415: 3, 503: 14}
"""HTTP's status as a code of gRPC."""
_MAX_MESSAGE = 1_000


def success(rejected: Mapping[str, int], *, signal: Signal, protocol: Protocol) -> bytes:
    """Write that a request was taken, but for what was rejected, by reason."""
    tree: Tree = {}
    if rejected:
        reasons = "; ".join(f"{count}: {reason}" for reason, count in rejected.items())
        tree["partial_success"] = {
            _REJECTED[signal]: sum(rejected.values()),
            "error_message": reasons[:_MAX_MESSAGE],
        }
    return to_bytes(tree, signal=signal, protocol=protocol, answers=True)


def failure(status: int, message: str, *, protocol: Protocol) -> bytes:
    """Write google.rpc.Status, by hand: its class is in a package that nothing else needs."""
    code, message = _CODES.get(status, 13), clean(message)[:_MAX_MESSAGE]
    if protocol == "json":
        import msgspec

        return msgspec.json.encode({"code": code, "message": message})
    text = message.encode()
    return bytes((0x08, code, 0x12)) + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    low, high = number & 0x7F, number >> 7
    return bytes((low | 0x80,)) + _varint(high) if high else bytes((low,))


def rejected_by(answer: bytes, *, protocol: Protocol) -> tuple[int, str]:
    """Return how many spans a receiver did not take, and why; 0 if its answer is not readable."""
    try:
        if protocol == "json":
            import msgspec

            partial = msgspec.json.decode(answer or b"{}").get("partialSuccess") or {}
            return int(partial.get("rejectedSpans") or 0), str(partial.get("errorMessage") or "")
        told = message_class("traces", answers=True).FromString(answer).partial_success
        return told.rejected_spans, told.error_message
    except Exception:  # noqa: BLE001 - whatever a stranger answers, 200 says that it was taken
        return 0, ""
