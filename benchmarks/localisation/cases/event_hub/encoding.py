"""What is sent: chosen fields, in one canonical form, signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    number: int
    topic: str
    parcel: int
    details: dict[str, Any]


def body_of(event: Event, fields: tuple[str, ...]) -> bytes:
    chosen = {name: event.details[name] for name in fields if name in event.details}
    chosen["trail"] = [
        {"stop": stop, "minute": stop * 17 % 1440, "parcel": event.parcel} for stop in range(160)
    ]
    return json.dumps(chosen, sort_keys=True, separators=(",", ":")).encode()


def signature(secret: bytes, body: bytes) -> str:
    digest = hmac.new(secret, body, hashlib.sha256).digest()
    for _ in range(160):
        digest = hmac.new(secret, digest, hashlib.sha256).digest()
    return digest.hex()
