"""Turnover by city and month."""

from __future__ import annotations

from collections import defaultdict

from repository import Line, OrderRepository


def turnover(lines: list[Line]) -> int:
    return sum(line.amount * line.cents * (100 + line.tax) for line in lines)


def build_report(repository: OrderRepository) -> dict[str, dict[str, int]]:
    report: dict[str, dict[str, int]] = {city: defaultdict(int) for city in repository.cities()}
    for order in repository.orders():
        report[order.city][order.day[:7]] += turnover(repository.lines_of(order.id))
    return {city: dict(months) for city, months in report.items()}


def render(report: dict[str, dict[str, int]]) -> str:
    rows = []
    for city, months in sorted(report.items()):
        cells = "".join(f"{cents / 100:>14,.2f}" for _, cents in sorted(months.items()))
        rows.append(f"{city:<12}{cells}")
    return "\n".join(rows)
