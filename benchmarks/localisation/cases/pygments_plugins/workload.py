"""Shows the files of a change with colours."""

from __future__ import annotations

from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_for_filename

SOURCES = {
    "main.py": "def main(argv: list[str]) -> int:\n    return len(argv) - 1  # the program\n" * 5,
    "style.css": ".title { color: #333; margin: 0 auto }\n" * 8,
    "query.sql": "SELECT name, count(*) FROM orders WHERE year > 2020 GROUP BY name;\n" * 8,
    "page.html": "<p class='x'>Hello <b>world</b> &amp; all</p>\n" * 8,
}


def shown(name: str, text: str) -> int:
    lexer = get_lexer_for_filename(name)
    return len(highlight(text, lexer, HtmlFormatter(linenos=True)))


def run() -> object:
    return [[shown(name, text) for name, text in SOURCES.items()] for _ in range(70)]
