"""Stub."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from perfwright.llm.wire.texts import Cutter


def assemble_messages(pieces: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    raise NotImplementedError


def split_messages(payload: Mapping[str, Any], *, cutter: Cutter) -> Iterator[dict[str, Any]]:
    raise NotImplementedError
