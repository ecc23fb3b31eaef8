"""The tool as a script calls it."""

from __future__ import annotations


def run() -> object:
    from registry import run

    names = " ".join(f"Fra{number:05}.Example.ORG" for number in range(90_000))
    return run(f"digest {names}")
