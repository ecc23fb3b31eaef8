"""Settings of all tenants, in one document."""

from __future__ import annotations

import json
from typing import Any


class Settings:
    def __init__(self, text: str) -> None:
        self._text = text

    def get(self, path: str, default: Any = None) -> Any:
        value: Any = json.loads(self._text)
        for part in path.split("."):
            if not isinstance(value, dict) or part not in value:
                return default
            value = value[part]
        return value

    def flag(self, tenant: str, name: str) -> bool:
        return bool(self.get(f"tenants.{tenant}.flags.{name}", False))


def document(tenants: int) -> str:
    return json.dumps(
        {
            "version": 3,
            "tenants": {
                f"tenant{number}": {
                    "currency": ("EUR", "USD", "GBP")[number % 3],
                    "rounding": number % 3,
                    "flags": {"vat": number % 2 == 0, "beta": number % 5 == 0},
                    "address": {"city": f"City {number}", "street": "Main Street"},
                }
                for number in range(tenants)
            },
        }
    )
