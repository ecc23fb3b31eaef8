"""Range requests of players and download managers."""

from __future__ import annotations

from starlette.responses import FileResponse

SIZE = 80_000_000


def ranges(header: str) -> list[tuple[int, int]]:
    try:
        return FileResponse._parse_range_header(header, SIZE)
    except Exception as error:
        return [(-1, len(type(error).__name__))]


def run() -> object:
    answers = [
        ranges(f"bytes={number * 1_000}-{number * 1_000 + 999}, -500") for number in range(9_000)
    ]
    answers += [ranges("bytes=0-99," + "1" * 14_000 + "x") for _ in range(2)]
    return answers
