"""Describes a few lines of a text, as the command would."""

from __future__ import annotations

import hashlib


def run() -> object:
    from command import main

    lines = [
        f"Größe Nr. {number}: ½ café — über {number * 7} ∑ naïve Straße" * 12
        for number in range(60)
    ]
    answers = [main(["describe", line]) for line in lines]
    return hashlib.sha256("\n".join(answers).encode()).hexdigest()
