"""Prepares scanned pages for reading."""

from __future__ import annotations

from collections import Counter


def limits(pixels: bytes) -> tuple[int, int]:
    counts, seen, low, high = Counter(pixels), 0, 0, 255
    for value in range(256):
        seen += counts[value]
        if seen < len(pixels) // 50:
            low = value
        if seen < len(pixels) * 49 // 50:
            high = value
    return low, high


def stretch_contrast(pixels: bytes, low: int, high: int) -> bytes:
    span = max(1, high - low)
    result = bytearray(len(pixels))
    for index in range(len(pixels)):
        value = (pixels[index] - low) * 255 // span
        if value < 0:
            value = 0
        elif value > 255:
            value = 255
        result[index] = value
    return bytes(result)


def clean(pixels: bytes) -> bytes:
    low, high = limits(pixels)
    return stretch_contrast(pixels, low, high)
