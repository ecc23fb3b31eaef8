"""Pages for the staff."""

from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shop import customers, journal, orders, reports
from shop.identity import timestamp
from shop.services import Shop, shop_of
from shop.sessions import Session, find_session, read_form, require_customer
from shop.views.layout import render

REVENUE_DAYS = 30
STATUSES = ("processing", "shipped", "delivered", "cancelled", "refunded")


async def dashboard(request: Request) -> Response:
    """Revenue, what waits for the warehouse and what runs out."""
    shop = shop_of(request)
    session, _ = _staff(shop, request)
    since = timestamp(shop.clock() - timedelta(days=REVENUE_DAYS))
    revenue = await shop.db.run(reports.revenue_by_day, since)
    waiting = await shop.db.run(orders.unshipped)
    low = await shop.db.run(reports.low_stock)
    reports.purge_sessions(shop)
    return render(
        shop, "admin.html", session=session, revenue=revenue, waiting=waiting, low_stock=low
    )


async def order_list(request: Request) -> Response:
    """Orders by status."""
    shop = shop_of(request)
    session, _ = _staff(shop, request)
    status = request.query_params.get("status", "processing")
    page = request.query_params.get("page", "1")
    if status not in STATUSES or not page.isdecimal():
        raise HTTPException(404, "There is no such list.")
    found = orders.by_status(shop.db, status, page=int(page))
    return render(
        shop,
        "admin_orders.html",
        session=session,
        orders=found,
        statuses=STATUSES,
        status_shown=status,
    )


async def order(request: Request) -> Response:
    """Any order, with the form that ships it."""
    shop = shop_of(request)
    session, _ = _staff(shop, request)
    found = orders.find_order(shop.db, request.path_params["number"])
    if found is None:
        raise HTTPException(404, "There is no such order.")
    return render(
        shop,
        "admin_order.html",
        session=session,
        order=found,
        lines=orders.lines_of(shop.db, found.id),
        customer=customers.find_customer(shop.db, found.customer_id),
    )


async def ship(request: Request) -> Response:
    """Mark an order as shipped."""
    shop = shop_of(request)
    session, staff_id = _staff(shop, request)
    await read_form(request, session)
    number = request.path_params["number"]
    orders.ship(shop, number)
    journal.audit(shop, actor_id=staff_id, action="ship", subject=f"ship {number}")
    return RedirectResponse("/admin", 303)


async def customer_list(request: Request) -> Response:
    """Customers by the beginning of their last name."""
    shop = shop_of(request)
    session, _ = _staff(shop, request)
    start = request.query_params.get("q", "")
    found = customers.by_last_name(shop.db, start) if start else []
    return render(shop, "admin_customers.html", session=session, customers=found, query=start)


async def audit_list(request: Request) -> Response:
    """What the staff did lately."""
    shop = shop_of(request)
    session, staff_id = _staff(shop, request)
    actions = reports.actions_of(shop.db, staff_id)
    return render(shop, "admin_audit.html", session=session, actions=actions)


def _staff(shop: Shop, request: Request) -> tuple[Session | None, int]:
    """Return session and id of a member of the staff.

    Raises:
        HTTPException: 401 if nobody is logged in, 403 for customers.
    """
    session = find_session(shop, request)
    customer_id = require_customer(session)
    customer = customers.find_customer(shop.db, customer_id)
    if customer is None or not customer.is_staff:
        raise HTTPException(403, "This page is for the staff.")
    return session, customer_id
