"""A page that grows."""

from __future__ import annotations

from html import escape


class Page:
    def __init__(self) -> None:
        self.html = ""
        self.rows = 0

    def write(self, markup: str) -> None:
        self.html = f"{self.html}{markup}\n"
        self.rows += 1

    def text(self) -> str:
        return f"<!doctype html>\n{self.html}"

    def heading(self, title: str) -> None:
        self.write(f"<h2>{escape(title)}</h2>")

    def row(self, cells: list[object]) -> None:
        self.write("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>")
