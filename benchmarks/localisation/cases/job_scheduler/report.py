"""When jobs ran."""

from __future__ import annotations

from collections import defaultdict


def gaps(log: list[tuple[int, int]]) -> dict[int, int]:
    last: dict[int, int] = {}
    longest: dict[int, int] = defaultdict(int)
    for at, number in log:
        if number in last:
            longest[number] = max(longest[number], at - last[number])
        last[number] = at
    return dict(longest)


def busiest_hours(log: list[tuple[int, int]]) -> list[tuple[int, int]]:
    hours: dict[int, int] = defaultdict(int)
    for at, _ in log:
        hours[at // 3_600] += 1
    return sorted(hours.items(), key=lambda item: (-item[1], item[0]))[:5]
