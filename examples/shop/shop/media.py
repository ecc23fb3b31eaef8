"""Pictures and the style framework, generated once so that they need not be in the repository."""

import argparse
import struct
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from shop.stock import IMAGES

Colour = tuple[int, int, int]

HERO_SIZE = (2400, 1200)
PRODUCT_SIZE = (1100, 1100)
GRAIN = bytes(min(value * 3 // 256, 2) for value in range(256))
"""Turns random bytes into the noise of a camera sensor: 0, 1 or 2 steps of brightness."""

DIRECTIONS = {"": "", "t": "-top", "r": "-right", "b": "-bottom", "l": "-left"}
BREAKPOINTS = {"": None, "sm": 640, "md": 768, "lg": 1024, "xl": 1280}
PALETTE = {  # hue and saturation
    "slate": (215, 16),
    "stone": (30, 6),
    "red": (0, 72),
    "amber": (35, 90),
    "lime": (85, 70),
    "teal": (173, 70),
    "sky": (200, 85),
    "indigo": (240, 65),
    "violet": (262, 75),
    "rose": (347, 77),
}


def ensure(folder: Path) -> None:
    """Make what is missing in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {"hero.png": (HERO_SIZE, "hero")} | {
        f"product-{number:02}.png": (PRODUCT_SIZE, f"product {number}")
        for number in range(1, IMAGES + 1)
    }
    for name, (size, subject) in pictures.items():
        if not (folder / name).exists():
            (folder / name).write_bytes(picture(*size, rng=Random(subject)))
    framework = folder / "framework.css"
    if not framework.exists():
        framework.write_text("\n".join(framework_rules()) + "\n")


def picture(width: int, height: int, *, rng: Random) -> bytes:
    """Return a PNG of a vase before a wall, with the grain of a photograph."""
    wall: Colour = (rng.randrange(150, 230), rng.randrange(150, 230), rng.randrange(150, 230))
    vase: Colour = (rng.randrange(20, 200), rng.randrange(20, 200), rng.randrange(20, 200))
    belly = rng.uniform(0.12, 0.3)
    rows = bytearray()
    for y in range(height):
        half = _half_width(y / height, belly=belly) * min(width, height)
        left, right = int(width / 2 - half), int(width / 2 + half)
        shade = 20 * y // height
        colours = [(wall, left), (vase, right - left), (wall, width - right)]
        row = b"".join(bytes(max(part - shade, 0) for part in c) * n for c, n in colours)
        grain = rng.randbytes(len(row)).translate(GRAIN)
        noisy = int.from_bytes(row, "big") + int.from_bytes(grain, "big")
        rows += b"\x00" + noisy.to_bytes(len(row), "big")
    return _png(width, height, data=bytes(rows))


def framework_rules() -> Iterator[str]:
    """Return the utility classes of a style framework, in all sizes of screen and colours."""
    for prefix, minimum in BREAKPOINTS.items():
        rules = list(_utilities(f"{prefix}\\:" if prefix else ""))
        yield from (
            rules
            if minimum is None
            else [
                f"@media (min-width: {minimum}px) {{",
                *rules,
                "}",
            ]
        )


def _half_width(depth: float, *, belly: float) -> float:
    """Return half of the vase's width at a depth, both as shares of the height."""
    if depth < 0.2 or depth > 0.92:
        return 0.0
    if depth < 0.4:
        return belly / 3
    return belly * (1 - abs(depth - 0.65) * 1.8)


def _png(width: int, height: int, *, data: bytes) -> bytes:
    """Wrap rows of RGB bytes, each after its filter byte, into a PNG."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(data, 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _utilities(prefix: str) -> Iterator[str]:
    for short, word in (("m", "margin"), ("p", "padding")):
        for side, suffix in DIRECTIONS.items():
            for step in range(13):
                yield f".{prefix}{short}{side}-{step} {{ {word}{suffix}: {step * 0.25}rem; }}"
    for colour, (hue, saturation) in PALETTE.items():
        for tone in range(1, 10):
            value = f"hsl({hue} {saturation}% {100 - tone * 10}%)"
            yield f".{prefix}text-{colour}-{tone}00 {{ color: {value}; }}"
            yield f".{prefix}bg-{colour}-{tone}00 {{ background-color: {value}; }}"
            yield f".{prefix}border-{colour}-{tone}00 {{ border-color: {value}; }}"
    for columns in range(1, 13):
        yield (
            f".{prefix}cols-{columns} {{ display: grid; gap: 1rem;"
            f" grid-template-columns: repeat({columns}, minmax(0, 1fr)); }}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m shop.media", description=__doc__)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    ensure(options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
