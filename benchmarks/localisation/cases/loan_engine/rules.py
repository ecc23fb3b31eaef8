"""The rules of the house."""

from __future__ import annotations

from decimal import Decimal, localcontext

from people import Applicant
from tracing import traced

RATES = {"A": Decimal("3.1"), "B": Decimal("4.4"), "C": Decimal("6.9")}


@traced
def burden(applicant: Applicant) -> Decimal:
    debts = sum(applicant.debts.values(), Decimal(0))
    return (debts / 60 / applicant.income).quantize(Decimal("0.0001"))


@traced
def reserve(applicant: Applicant) -> Decimal:
    held = sum((account.balance for account in applicant.accounts), Decimal(0))
    return (held / applicant.income).quantize(Decimal("0.01"))


@traced
def steadiness(applicant: Applicant) -> int:
    months = [month for account in applicant.accounts for month in account.months]
    return sum(1 for left, right in zip(months, months[1:], strict=False) if abs(left - right) < 30)


@traced
def grade(applicant: Applicant) -> str:
    points = 3 * (burden(applicant) < Decimal("0.2")) + 2 * (reserve(applicant) > 2)
    points += steadiness(applicant) // 4 + (25 < applicant.age < 65)
    return "A" if points > 5 else "B" if points > 3 else "C"


@traced
def instalments(cents: Decimal, rate: Decimal, months: int) -> list[Decimal]:
    with localcontext() as context:
        context.prec = 16
        monthly = rate / 1200
        factor = (1 + monthly) ** months
        payment = cents * monthly * factor / (factor - 1)
        rest, rows = cents, []
        for _ in range(months):
            interest = rest * monthly
            rest -= payment - interest
            rows.append(interest.quantize(Decimal("0.01")))
        return rows


@traced
def decide(applicant: Applicant) -> tuple[str, Decimal]:
    mark = grade(applicant)
    rows = instalments(applicant.income * 4, RATES[mark], 24)
    return mark, sum(rows, Decimal(0))
