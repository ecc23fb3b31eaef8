"""What a client writes on its sockets: many small messages, and some pictures."""

from __future__ import annotations

import hashlib
import json
import random

from websocket import ABNF


def key(size: int) -> bytes:
    return bytes((size + number) % 251 for number in range(4))


def messages(count: int) -> list[tuple[bytes, int]]:
    rng = random.Random(4)
    found = []
    for number in range(count):
        moves = [{"x": rng.randrange(900), "y": rng.randrange(900)} for _ in range(20)]
        found.append((json.dumps({"id": number, "moves": moves}).encode(), ABNF.OPCODE_TEXT))
        if number % 200 == 0:
            found.append((rng.randbytes(350_000), ABNF.OPCODE_BINARY))
    return found


def frame(data: bytes, opcode: int) -> bytes:
    made = ABNF.create_frame(data, opcode)
    made.get_mask_key = key
    return made.format()


def run() -> object:
    written = hashlib.sha256()
    for data, opcode in messages(7_000):
        written.update(frame(data, opcode))
    return written.hexdigest()
