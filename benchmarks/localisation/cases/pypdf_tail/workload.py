"""Counts the pages of scanned letters; the scanner pads its files to whole blocks."""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path

from PyPDF2 import PdfReader, PdfWriter

BLOCK = 4_096


def letter(sheets: int) -> bytes:
    writer = PdfWriter()
    for sheet in range(sheets):
        writer.add_blank_page(width=595, height=842 - sheet)
    written = BytesIO()
    writer.write(written)
    return written.getvalue()


def scanned(sheets: int) -> bytes:
    data = letter(sheets)
    return data + b"\0" * (-len(data) % BLOCK) + b"\n"


def pages(file: Path) -> tuple[int, float]:
    with file.open("rb") as stream:
        reader = PdfReader(stream)
        return len(reader.pages), float(sum(page.mediabox.height for page in reader.pages))


def run() -> object:
    with tempfile.TemporaryDirectory() as name:
        files = [Path(name) / f"letter{number:03}.pdf" for number in range(200)]
        for number, file in enumerate(files):
            file.write_bytes(scanned(number % 9 + 1))
        return [pages(file) for file in files]
