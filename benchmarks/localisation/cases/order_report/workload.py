"""Prints the turnover report of a year."""

from __future__ import annotations

from report import build_report, render
from repository import OrderRepository, open_store

STORE = open_store(130_000)


def run() -> object:
    return render(build_report(OrderRepository(STORE)))
