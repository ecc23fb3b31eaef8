"""An import of contacts, many of them with mistakes."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate


class Contact(Schema):
    name = fields.String(required=True, validate=validate.Length(min=1, max=60))
    mail = fields.Email(required=True)
    age = fields.Integer(validate=validate.Range(min=0, max=150))
    joined = fields.Date()


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "name": f"customer {number}",
            "mail": f"{number}@example.org" if number % 7 else "unknown",
            "age": number % 90 if number % 5 == 0 else "old",
            "joined": f"20{number % 24:02}-0{number % 9 + 1}-1{number % 8}",
        }
        for number in range(count)
    ]


def load(part: list[dict[str, Any]]) -> tuple[int, object]:
    try:
        return len(Contact(many=True).load(part)), None
    except ValidationError as error:
        return len(error.valid_data), error.messages


def run() -> object:
    found = [load(rows(count)) for count in (200, 900, 22_000)]
    return [(valid, repr(messages)) for valid, messages in found]
