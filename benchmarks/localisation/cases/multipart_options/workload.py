"""The content types of forms."""

from __future__ import annotations

from multipart.multipart import parse_options_header


def kind_of(header: str) -> tuple[bytes, int]:
    kind, options = parse_options_header(header)
    return kind, len(options) if "charset" in header else 0


def run() -> object:
    kinds = [
        kind_of(f'multipart/form-data; boundary="----form{number}"; charset=utf-8')
        for number in range(4_000)
    ]
    kinds += [
        kind_of('application/x-www-form-urlencoded; !="' + "\\" * size) for size in (30, 31, 32, 33)
    ]
    return kinds
