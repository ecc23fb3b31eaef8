"""Resolves requirements against the versions of an index."""

from __future__ import annotations

from packaging.specifiers import SpecifierSet
from packaging.version import Version

INDEX = [
    f"{major}.{minor}.{patch}" for major in range(9) for minor in range(12) for patch in range(8)
]
RULES = [
    ">=2.1,<7",
    ">=1.4.2,!=3.0.0,<6.5",
    ">=0.9,<9.0",
    "==4.5.6",
    ">=3.3.3,<3.9",
    ">=5,<8.1,!=6.6.6",
]


def candidates(rule: str, versions: list[Version]) -> list[Version]:
    specifiers = SpecifierSet(rule)
    return [version for version in versions if specifiers.contains(version)]


def best(rule: str, versions: list[Version]) -> str:
    return str(max(candidates(rule, versions)))


def run() -> object:
    versions = [Version(text) for text in INDEX]
    return [best(rule, versions) for rule in RULES * 9]
