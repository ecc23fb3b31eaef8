"""What a router reads: the words of a prompt, and how it looks."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from perfwright.llm.requests import Request

READ_CHARACTERS = 4_000
"""Half from the start and half from the end of a longer prompt, so that choosing stays quick."""

_TOKEN = re.compile(r"\w+|[^\w\s]")
_DIGIT = re.compile(r"\d")
_UPPER = re.compile(r"[A-Z]")
_MARK = re.compile(r"[^\w\s]")
_MATHS = re.compile(r"[-+*/=^<>()]")


def prompt_of(request: Request) -> str:
    """Return what the user asks: the last message of theirs, or `input` where there are none."""
    for message in reversed(request.messages):
        if message.get("role") == "user":
            return _text(message.get("content"))
    return _text(request.body.get("input"))


def tokens_at_most(request: Request, *, answer_tokens: int) -> int:
    """Return what a call may use, high enough for text: a token has three bytes or more.

    Args:
        request: What is asked.
        answer_tokens: For the answer, where the request does not bound it.
    """
    texts = [_text(message.get("content")) for message in request.messages]
    texts.append(_text(request.body.get("input")))
    bound = request.max_completion_tokens
    return (
        sum(len(text.encode()) for text in texts) // 3
        + 1
        + (answer_tokens if bound is None else bound)
    )


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, Mapping))
    return "\n".join(part for part in parts if isinstance(part, str))


def shortened(prompt: str) -> str:
    """Return as much of `prompt` as is read."""
    if len(prompt) <= READ_CHARACTERS:
        return prompt
    half = READ_CHARACTERS // 2
    return f"{prompt[:half]}\n{prompt[-half:]}"


def tokens(prompt: str) -> list[str]:
    """Return words and marks in lower case, in order."""
    return _TOKEN.findall(prompt.lower())


def terms(words: Sequence[str]) -> Counter[str]:
    """Count words and pairs of neighbours."""
    counts = Counter(words)
    counts.update(f"{first} {second}" for first, second in pairwise(words))
    return counts


def traits(prompt: str, words: Sequence[str]) -> list[float]:
    """Describe the form of a prompt in numbers that need no vocabulary.

    They tell sums from stories, and questions with options from open ones.
    """
    size = max(1, len(prompt))
    count = max(1, len(words))
    distinct = set(words)
    digits = len(_DIGIT.findall(prompt))
    first_line = prompt.find("\n") % (size + 1)
    return [
        math.log1p(size),
        math.log1p(count),
        math.log1p(first_line),
        math.log1p(size - first_line),
        math.log1p(digits),
        digits / size,
        len(_UPPER.findall(prompt)) / size,
        len(_MARK.findall(prompt)) / size,
        len(_MATHS.findall(prompt)) / size,
        sum(map(len, words)) / count,
        len(distinct) / count,
        math.log1p(prompt.count(",")),
        math.log1p(prompt.count(".")),
        "?" in prompt,
        "\n" in prompt,
        "__" in prompt,
        "$" in prompt,
        prompt[:1].isspace(),
        "not" in distinct,
        "except" in distinct,
        "i" in distinct,
        "following" in distinct,
        "statement" in distinct,
    ]
