"""Mail as it comes in."""

from __future__ import annotations

import random
import unicodedata
from email.message import EmailMessage

from rules import WORDS


def message(rng: random.Random, number: int) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"customer{number}@example.org"
    mail["Subject"] = f"About {rng.choice(WORDS)} order {rng.randrange(700)}"
    mail.set_content(f"Dear team,\nplease look at it.\nNumber {number}\n")
    return mail


def first_line(mail: EmailMessage) -> str:
    text = unicodedata.normalize("NFKC", str(mail["Subject"])).casefold()
    return " ".join(text.split())
