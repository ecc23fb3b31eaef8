"""Visitors of the day."""

from __future__ import annotations

from flags import Flags, Layer
from pages import fingerprint, page


def run() -> object:
    user = Layer("user", {("chat", number): True for number in range(0, 900, 9)})
    team = Layer("team", {("video", number): number % 2 == 0 for number in range(0, 900, 5)})
    common = Layer("common", {("search", None): True})
    flags = Flags([user, team, common])
    return [fingerprint(page(flags, number % 900)) for number in range(55_000)]
