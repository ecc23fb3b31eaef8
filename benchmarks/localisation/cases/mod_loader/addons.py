"""The manifest of an add-on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Requirement:
    name: str
    least: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Requirement:
        name, _, least = text.partition(">=")
        return cls(name.strip(), tuple(map(int, least.split("."))))

    def met_by(self, active: dict[str, tuple[int, ...]]) -> bool:
        version = active.get(self.name)
        return version is not None and version >= self.least


@dataclass(frozen=True)
class Addon:
    name: str
    version: tuple[int, ...]
    title: str
    tags: frozenset[str] = frozenset()
    requirements: tuple[Requirement, ...] = field(default=())


def read(text: str) -> Addon:
    table = json.loads(text)
    return Addon(
        table["name"],
        tuple(map(int, table["version"].split("."))),
        table["title"].strip().capitalize(),
        frozenset(tag.casefold() for tag in table["tags"]),
        tuple(map(Requirement.parse, table["needs"])),
    )
