"""Finds which settings of many services are lengths of time."""

from __future__ import annotations

from pytimeparse.timeparse import timeparse

VALUES = (
    "auto",
    "{} min",
    "host{}.example.org",
    "/var/lib/{}",
    "none",
    "yes",
    "ready",
    "{}h",
    "low",
)


def document(number: int) -> str:
    return "\n".join(
        f"option{line} = {VALUES[(number + line) % len(VALUES)].format(line + 1)}"
        for line in range(25)
    )


def lengths(text: str) -> dict[str, float]:
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        seconds = timeparse(value.strip())
        if seconds is not None:
            found[name.strip()] = seconds
    return found


def run() -> object:
    return [sorted(lengths(document(number)).items()) for number in range(11_000)]
