"""Puts what people filled in into letters."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable

Fill = Callable[[str, Iterable[tuple[str, str]]], str]


def substitutions(*, longest: int) -> Fill:
    def clean(value: str) -> str:
        value = " ".join(value.split())
        return value if len(value) <= longest else value[: longest - 1] + "…"

    def fill(text: str, values: Iterable[tuple[str, str]]) -> str:
        for name, value in values:
            pattern = r"\{\{\s*" + re.escape(name) + r"\s*(?:\|\s*([^{}]*?)\s*)?\}\}"
            text = re.sub(pattern, lambda found: clean(value) or found[1] or "", text)
        return text

    return fill


def compose(fill: Fill, template: str, values: Iterable[tuple[str, str]]) -> str:
    filled = fill(template, values)
    paragraphs = (textwrap.fill(each, 68) for each in filled.split("\n\n"))
    return "\n\n".join(paragraphs)
