"""`characters describe TEXT` and `characters find WORD`"""

from __future__ import annotations

import argparse
import unicodedata

from index import find


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="characters", description="Tells what characters are.")
    commands = result.add_subparsers(dest="command", required=True)
    describe = commands.add_parser("describe", help="name the characters of a text")
    describe.add_argument("text")
    search = commands.add_parser("find", help="list the characters with a word in their name")
    search.add_argument("word")
    return result


def row(character: str) -> str:
    name = unicodedata.name(character, "(no name)")
    return f"U+{ord(character):04X}  {unicodedata.category(character)}  {name}"


def describe(text: str) -> str:
    normal = unicodedata.normalize("NFD", text)
    return "\n".join(row(character) for character in normal)


def main(arguments: list[str]) -> str:
    options = parser().parse_args(arguments)
    if options.command == "find":
        return "\n".join(row(character) for character in find(options.word))
    return describe(options.text)
