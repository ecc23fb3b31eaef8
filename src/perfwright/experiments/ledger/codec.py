"""Records to JSON and back, with a digest that tells damage and tampering."""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec

from perfwright.core import LedgerDamagedError

RecordT = TypeVar("RecordT")


def encode(record: object) -> str:
    """Render a record as JSON; what the caller's `facts` hold is kept as plain data."""
    return msgspec.json.encode(record, enc_hook=repr, order="deterministic").decode()


def decode(text: str, *, kind: type[RecordT], where: str) -> RecordT:
    """Read a record back.

    Raises:
        LedgerDamagedError: If the text is not such a record.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        raise LedgerDamagedError(where=where, problem=f"a record does not read: {error}") from None


def digest(*parts: str) -> str:
    """Fingerprint of the parts in this order."""
    joined = "\x1f".join(parts)
    return hashlib.sha256(joined.encode()).hexdigest()


def verify(expected: str, *parts: str, where: str) -> None:
    """Compare a stored fingerprint with the parts that it was made of.

    Raises:
        LedgerDamagedError: If they differ.
    """
    if digest(*parts) != expected:
        raise LedgerDamagedError(
            where=where, problem="a record does not match its fingerprint (torn or altered)"
        )
