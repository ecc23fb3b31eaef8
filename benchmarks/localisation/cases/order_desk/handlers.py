"""What the desk answers."""

from __future__ import annotations

import asyncio
import json

from taxes import tax_cents
from web import Request, route


@route("/release")
async def release(request: Request) -> str:
    order = await request.backends.orders.call(f"/orders/{request.query['order']}")
    lines = [line for line in order["lines"] if line["amount"]]
    total = sum(line["amount"] * line["cents"] for line in lines)
    tax = sum(tax_cents(line["sku"], line["amount"] * line["cents"]) for line in lines)
    credit = await request.backends.credit.call(f"/limits/{request.user}")
    released = total + tax <= credit["cents"]
    return json.dumps({"released": released, "total": total + tax, "lines": lines})


@route("/status")
async def status(request: Request) -> str:
    await asyncio.sleep(0)
    return json.dumps({"user": request.user, "well": True})
