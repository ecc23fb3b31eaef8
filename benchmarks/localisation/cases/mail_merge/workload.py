"""The letters of one evening, as they came in: form after form, then again."""

from __future__ import annotations

import hashlib
from email.message import EmailMessage

from forms import answers, forms
from letters import compose, substitutions


def message(number: int, text: str) -> bytes:
    mail = EmailMessage()
    mail["Subject"], mail["To"] = f"Your notice {number}", f"customer-{number}@example.org"
    mail.set_content(text)
    return mail.as_bytes()


def run() -> object:
    fill, known = substitutions(longest=40), forms(90)
    evening = [zip(known, each, strict=True) for each in zip(*(answers(f, 12) for f in known))]
    digest = hashlib.sha256()
    for number, batch in enumerate(evening):
        for form, values in batch:
            digest.update(message(number, compose(fill, form.template(), values)))
    return digest.hexdigest()
