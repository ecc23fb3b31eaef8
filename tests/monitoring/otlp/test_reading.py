"""Packed bodies."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest

from perfwright.core import TelemetryError
from perfwright.monitoring.otlp.reading import TooLargeError, unzip


def test_gzip_is_unpacked() -> None:
    assert unzip(gzip.compress(b"spans" * 1_000), max_bytes=5_000) == b"spans" * 1_000


def test_parts_one_after_another_are_one_body() -> None:
    assert unzip(gzip.compress(b"ab") + gzip.compress(b"cd"), max_bytes=4) == b"abcd"


def test_a_byte_too_many_is_refused() -> None:
    with pytest.raises(TooLargeError, match="more than 4,999 bytes"):
        unzip(gzip.compress(b"spans" * 1_000), max_bytes=4_999)


def test_a_bomb_takes_no_more_memory_than_allowed() -> None:
    bomb = gzip.compress(bytes(64 * 2**20), 9)
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            unzip(bomb, max_bytes=2**20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20


@pytest.mark.parametrize("raw", [b"no gzip", gzip.compress(b"x") + b"rest", b"\x1f\x8b"])
def test_what_is_no_gzip_is_refused(raw: bytes) -> None:
    with pytest.raises(TelemetryError, match="gzip"):
        unzip(raw, max_bytes=100)


def test_gzip_that_ends_early_is_refused() -> None:
    with pytest.raises(TelemetryError, match="ends before its end"):
        unzip(gzip.compress(b"spans" * 1_000)[:-9], max_bytes=10_000)


def test_an_empty_body_is_empty() -> None:
    assert unzip(b"", max_bytes=1) == b""
