"""Forms that offices made, and what came back."""

from __future__ import annotations

import random
from dataclasses import dataclass

WORDS = "we have received your notice about the water meter and will come back to you soon".split()


@dataclass(frozen=True)
class Form:
    number: int
    fields: tuple[str, ...]

    def template(self) -> str:
        rng = random.Random(self.number)
        paragraphs = [f"Dear {{{{ {self.fields[0]} | customer }}}},"]
        for name in self.fields[1:]:
            words = rng.choices(WORDS, k=24)
            words.insert(rng.randrange(24), f"{{{{{name}|(not given)}}}}")
            paragraphs.append(" ".join(words))
        return "\n\n".join(paragraphs)


def forms(count: int) -> list[Form]:
    rng = random.Random(2)
    return [
        Form(number, tuple(f"f{number}.answer-{part}" for part in range(rng.randrange(8, 13))))
        for number in range(count)
    ]


def answers(form: Form, count: int) -> list[list[tuple[str, str]]]:
    rng = random.Random(form.number + 1000)
    return [
        [
            (name, rng.choice(("", f"  value {rng.randrange(999)} of {name}", "x" * 50)))
            for name in form.fields
        ]
        for _ in range(count)
    ]
