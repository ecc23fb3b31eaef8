"""Packed feeds of articles."""

from __future__ import annotations

import json
import zlib
from typing import Any


class BrokenFeedError(ValueError):
    """The feed ends too early, or its sum is wrong."""


def packed(number: int) -> bytes:
    articles = [
        {"id": number * 100 + index, "title": f"Story {index}", "words": (number * index) % 900}
        for index in range(40)
    ]
    body = json.dumps({"feed": number, "articles": articles}).encode()
    if number % 5 == 2:
        body = body[:-9]
    elif number % 7 == 3:
        body = body.replace(b'"words": ', b'"words": -', 1)
    return zlib.compress(body, 1)


def unpacked(raw: bytes) -> dict[str, Any]:
    text = zlib.decompress(raw).decode()
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BrokenFeedError(f"broken after {error.pos} characters") from None
