"""How many lines a call centre needs."""

from __future__ import annotations


def erlang_table(lines: int, loads: int) -> list[list[float]]:
    table = []
    for load in range(1, loads + 1):
        blocked, row = 1.0, []
        for line in range(1, lines + 1):
            blocked = load * blocked / (line + load * blocked)
            row.append(blocked)
        table.append(row)
    return table


BLOCKED = erlang_table(1_500, 1_600)


def main(load: str, accepted: str) -> str:
    row = BLOCKED[int(load) - 1]
    return str(next(at for at, blocked in enumerate(row, 1) if blocked <= float(accepted)))
