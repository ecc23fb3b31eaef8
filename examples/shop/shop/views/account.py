"""Logging in, and what customers see of their own."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shop import carts, catalogue, customers, journal, orders
from shop.services import shop_of
from shop.sessions import (
    ensure_session,
    find_session,
    read_form,
    remember,
    require_customer,
    start_session,
)
from shop.views.layout import render


async def login_form(request: Request) -> Response:
    """The form for logging in."""
    shop = shop_of(request)
    return render(shop, "login.html", session=ensure_session(shop, request), failed=False)


async def log_in(request: Request) -> Response:
    """Check the password, then go on in a new session that keeps the cart."""
    shop = shop_of(request)
    anonymous = find_session(shop, request)
    form = await read_form(request, anonymous)
    customer = customers.log_in(
        shop.db, email=str(form.get("email", "")), password=str(form.get("password", ""))
    )
    if customer is None:
        return render(shop, "login.html", session=anonymous, status=401, failed=True)
    session = start_session(shop, customer_id=customer.id)
    cart_id = carts.find_cart(shop, anonymous) if anonymous else None
    if cart_id is not None:
        carts.hand_over(shop, cart_id, to=session)
    journal.audit(shop, actor_id=customer.id, action="login", subject=f"login {customer.id}")
    return remember(RedirectResponse("/admin" if customer.is_staff else "/account", 303), session)


async def account(request: Request) -> Response:
    """A customer's orders, addresses and what they may want again."""
    shop = shop_of(request)
    session = find_session(shop, request)
    customer_id = require_customer(session)
    recent = await shop.db.run(orders.recent_orders, customer_id)
    again = await shop.db.run(orders.buy_again, customer_id)
    addresses = await shop.db.run(customers.addresses_of, customer_id)
    return render(
        shop,
        "account.html",
        session=session,
        customer=customers.find_customer(shop.db, customer_id),
        orders=[(order, orders.lines_of(shop.db, order.id)) for order in recent],
        again=catalogue.cards(shop.db, shop.cards, again),
        addresses=addresses,
    )


async def order(request: Request) -> Response:
    """One of a customer's orders."""
    shop = shop_of(request)
    session = find_session(shop, request)
    customer_id = require_customer(session)
    found = orders.find_order(shop.db, request.path_params["number"])
    if found is None or found.customer_id != customer_id:
        raise HTTPException(404, "There is no such order.")
    lines = orders.lines_of(shop.db, found.id)
    return render(shop, "order.html", session=session, order=found, lines=lines)
