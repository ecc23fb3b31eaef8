"""What is not as it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lexing import Token, tokens
from source import Source

Check = Callable[[list[Token]], Iterator[tuple[Token, str]]]
CHECKS: list[Check] = []


def check(function: Check) -> Check:
    CHECKS.append(function)
    return function


@check
def doubled_names(found: list[Token]) -> Iterator[tuple[Token, str]]:
    section, seen = "", set()
    for token in found:
        if token.kind == "section":
            section = token.text
        elif token.kind == "name":
            if (section, token.text) in seen:
                yield token, f"{token.text} is set twice in {section}"
            seen.add((section, token.text))


@check
def spellings(found: list[Token]) -> Iterator[tuple[Token, str]]:
    for token in found:
        if token.kind == "name" and token.text != token.text.lower().replace("_", "-"):
            yield token, f"{token.text} is not spelt in small letters"


@check
def truths(found: list[Token]) -> Iterator[tuple[Token, str]]:
    for name, value in zip(found, found[1:], strict=False):
        if name.kind == "name" and value.text.casefold() in {"yes", "no", "on", "off"}:
            yield value, f"{name.text} should be true or false"


def lint(source: Source) -> list[str]:
    found = list(tokens(source))
    remarks = [remark for each in CHECKS for remark in each(found)]
    remarks.sort(key=lambda remark: remark[0].at)
    return [f"{source.excerpt(token.at)} {text}" for token, text in remarks]
