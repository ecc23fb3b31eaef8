"""Stub."""

from collections.abc import Mapping
from typing import Any


def request_to_messages(body: Mapping[str, Any]) -> dict[str, Any]:
    return dict(body)


def chat_from_message(payload: Mapping[str, Any]) -> dict[str, Any]:
    return dict(payload)
