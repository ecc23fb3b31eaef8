"""How alike two questions are in their words, and what shows that they are different ones.

An embedding puts a question next to its reversal, its negation, and the same question of another
year, product or unit. The checks here refuse such pairs before similarity is asked. Their lists of
words are English; numbers, names, quotations and word order are compared in any language that has
spaces.
"""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from zlib import crc32

DIMENSIONS = 256
"""Of `lexical_vector`."""

_WORD = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*")
_QUOTED = re.compile(r"[\"\u201c`]([^\"\u201c\u201d`]+)[\"\u201d`]")
_NAME = re.compile(r"(?<![.!?:\n]\s)(?<!^)\b[A-Z][\w-]*|\b[A-Z]{2,}\b")
_SYMBOL = re.compile(r"-(?=\d)|[^\w\s.,;:!?()'\"\u2019\u201c\u201d`-]")
"""What no sentence needs: `C` and `C++`, 5 and -5, `>` and `<` are different things."""


@dataclass(frozen=True, slots=True)
class _Words:
    fillers: frozenset[str]
    """Say little of what is asked."""
    negations: frozenset[str]
    questions: frozenset[str]
    """Say what kind of answer is wanted."""
    counts: frozenset[str]
    """Say how many, or which of several."""
    opposites: tuple[tuple[str, str], ...]


@cache
def _english() -> _Words:
    """Read the lists when they are needed first."""
    text = files("perfwright.llm.caching").joinpath("english.toml").read_text(encoding="utf-8")
    lists = tomllib.loads(text)
    pairs = (pair.split("/") for pair in lists["opposites"])
    return _Words(
        fillers=frozenset(lists["fillers"]),
        negations=frozenset(lists["negations"]),
        questions=frozenset(lists["questions"]),
        counts=frozenset(lists["counts"]),
        opposites=tuple((one, other) for one, other in pairs),
    )


def words_of(text: str) -> list[str]:
    """Return the words and numbers of a text in lower case."""
    return [word.lower() for word in _WORD.findall(text.replace("\u2019", "'"))]


def lexical_vector(text: str) -> list[float]:
    """Return a vector of `DIMENSIONS`, of length 1, that is near for texts with common words.

    Words, pairs of words and groups of three letters are hashed into it. It knows no synonyms.
    """
    vector = [0.0] * DIMENSIONS
    for feature, weight in _features(text):
        number = crc32(feature.encode())
        vector[number % DIMENSIONS] += weight if number & 0x8000_0000 else -weight
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length else vector


def _features(text: str) -> Iterator[tuple[str, float]]:
    words, fillers = words_of(text), _english().fillers
    telling = [word for word in words if word not in fillers] or words
    for word in telling:
        yield _stem(word), 2.0
        for start in range(len(word) - 2):
            yield f"#{word[start : start + 3]}", 0.5
    for first, second in itertools.pairwise(telling):
        yield f"{_stem(first)} {_stem(second)}", 1.0


def may_mean_the_same(one: str, other: str) -> bool:
    """Say whether nothing in the words shows that two questions want different answers."""
    first, second = words_of(one), words_of(other)
    return (
        _SYMBOL.findall(one) == _SYMBOL.findall(other)
        and _facts(first) == _facts(second)
        and _names_agree(one, other)
        and not _are_opposed(set(first), set(second))
        and _in_one_order(_telling(first), _telling(second))
    )


def _facts(words: Sequence[str]) -> tuple[list[str], list[str], int]:
    """Numbers and question words in their order, and how many negations there are."""
    known = _english()
    numbers = [word for word in words if word[0].isdigit() or word in known.counts]
    questions = [word for word in words if word in known.questions]
    denials = sum(word in known.negations or word.endswith("n't") for word in words)
    return numbers, questions, denials


def _names_agree(one: str, other: str) -> bool:
    quoted = sorted(_QUOTED.findall(one)) == sorted(_QUOTED.findall(other))
    return quoted and _names_are_in(one, other) and _names_are_in(other, one)


def _names_are_in(text: str, other: str) -> bool:
    known = {*_english().fillers, *_parts(other)}
    names = (word for name in _NAME.findall(text) for word in _parts(name))
    return all(word in known or word[0].isdigit() for word in names)  # numbers are facts


def _parts(text: str) -> Iterator[str]:
    """Yield words, those with an apostrophe in two."""
    return (part for word in words_of(text) for part in word.split("'"))


def _are_opposed(first: set[str], second: set[str]) -> bool:
    only_first, only_second = first - second, second - first
    return any(
        (one in only_first and other in only_second) or (other in only_first and one in only_second)
        for one, other in _english().opposites
    )


def _telling(words: Sequence[str]) -> list[str]:
    fillers = _english().fillers
    return [_stem(word) for word in words if word not in fillers]


def _stem(word: str) -> str:
    """The part of a word that its forms have in common, roughly."""
    short = word.removesuffix("'s")
    if len(short) > 3 and short.endswith("s") and not short.endswith("ss"):
        short = short[:-1]
    return short[:6]


def _in_one_order(first: Sequence[str], second: Sequence[str]) -> bool:
    """Say whether common words stand in the same order, and no word stands in another's place."""
    common = set(first) & set(second)
    if [word for word in first if word in common] != [word for word in second if word in common]:
        return False
    swapped = sum(a != b for a, b in zip(first, second, strict=False))
    return len(first) != len(second) or not 0 < swapped <= 2
