"""Prints comments on slips of paper."""

from __future__ import annotations

import random

from django.utils.text import slugify, wrap


def sentence(rng: random.Random, words: int) -> str:
    return " ".join(
        rng.choice(("alpha", "beta", "gamma", "of", "the", "delta")) for _ in range(words)
    )


def slip(title: str, comment: str) -> tuple[str, int]:
    body = wrap(comment, 32)
    return slugify(title), len(body.splitlines())


def run() -> object:
    rng = random.Random(4)
    sent = [slip(f"Comment No. {number}", sentence(rng, 60)) for number in range(2_500)]
    sent += [slip("A pasted log", sentence(rng, 430_000)) for _ in range(1)]
    return sent
