"""What customers are told of their orders."""

from __future__ import annotations

import asyncio
from collections import Counter
from email.message import EmailMessage
from string import Template

from customers import Customer, Customers
from post import Outbox

TEXTS = {
    "paid": Template("Dear $name,\n\nwe have your money for order $order."),
    "sent": Template("Dear $name,\n\norder $order is on its way:\n$lines"),
}


def written(customer: Customer, event: str, order: int) -> EmailMessage:
    lines = "\n".join(f"  {number:3}. article {order}-{number}" for number in range(order % 90))
    message = EmailMessage()
    message["From"] = "orders@shop.example"
    message["To"] = customer.address
    message["Subject"] = f"Order {order}"
    message.set_content(TEXTS[event].safe_substitute(name=customer.name, order=order, lines=lines))
    return message


class Notices:
    def __init__(self, customers: Customers, outbox: Outbox, *, at_once: int = 12) -> None:
        self.customers = customers
        self.outbox = outbox
        self.told: Counter[str] = Counter()
        self._slots = asyncio.Semaphore(at_once)

    async def tell(self, event: str, order: int) -> None:
        customer = await self.customers.of_order(order)
        if not customer.wants_letters:
            return
        message = written(customer, event, order)
        async with self._slots:
            self.outbox(message)
        self.told[event] += 1
