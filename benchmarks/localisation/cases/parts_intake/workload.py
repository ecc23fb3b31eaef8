"""The intake of a week."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from deliveries import delivery, rows
from fields import Choice, Code, Day, Field, Form, Money

FORM = Form(
    Code("code"),
    Money("price"),
    Day("due"),
    Choice("unit", among=frozenset({"pc", "kg", "m"})),
    Field("note", needed=False),
)


def run() -> object:
    problems: Counter[str] = Counter()
    value = Decimal(0)
    for supplier in range(12):
        for row in rows(delivery(supplier, 3_000)):
            if found := FORM.problems(row):
                problems.update(found)
            else:
                value += Decimal(row["price"].replace("'", ""))
    return problems.most_common(), value
