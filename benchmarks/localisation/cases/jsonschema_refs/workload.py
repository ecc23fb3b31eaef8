"""Checks the outlines that a map editor saves."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft4Validator

SCHEMA = {
    "id": "https://example.org/schemas/outline.json",
    "type": "object",
    "required": ["name", "rings"],
    "properties": {
        "name": {"type": "string", "maxLength": 80},
        "rings": {"type": "array", "items": {"$ref": "#/definitions/ring"}},
    },
    "definitions": {
        "degrees": {"type": "number", "minimum": -180, "maximum": 180},
        "point": {
            "type": "object",
            "required": ["east", "north"],
            "properties": {
                "east": {"$ref": "#/definitions/degrees"},
                "north": {"$ref": "#/definitions/degrees"},
                "label": {"type": "string", "pattern": "^[A-Z]"},
            },
        },
        "ring": {"type": "array", "minItems": 3, "items": {"$ref": "#/definitions/point"}},
    },
}


def outline(number: int) -> dict[str, Any]:
    rings = [
        [{"east": number % 170 + point, "north": point / 2, "label": "P"} for point in range(25)]
        for _ in range(3)
    ]
    return {"name": f"area {number}", "rings": rings}


def run() -> object:
    validator = Draft4Validator(SCHEMA)
    found = []
    for number in range(320):
        errors = sorted(validator.iter_errors(outline(number)), key=lambda error: list(error.path))
        found.append([(list(error.path), error.message) for error in errors])
    return found
