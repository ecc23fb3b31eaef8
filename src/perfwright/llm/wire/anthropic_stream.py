"""Stub."""

from collections.abc import Mapping
from typing import Any


class ChatFromMessages:
    def feed(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [dict(event)]
