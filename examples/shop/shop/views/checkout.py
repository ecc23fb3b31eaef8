"""The cart and the way to an order."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shop import carts, catalogue, journal, orders
from shop.services import shop_of
from shop.sessions import (
    ensure_session,
    find_session,
    read_form,
    require_customer,
)
from shop.views.layout import browser_of, render

MAX_QUANTITY = 20
BUSY_BACKLOG = 1_000  # orders; beyond, the warehouse needs a day more


async def show_cart(request: Request) -> Response:
    """What the visitor has put aside."""
    shop = shop_of(request)
    session = ensure_session(shop, request)
    cart_id = carts.find_cart(shop, session)
    lines = carts.lines_of(shop, cart_id) if cart_id else []
    return render(
        shop,
        "cart.html",
        session=session,
        lines=lines,
        total_cents=sum(line.total_cents for line in lines),
        busy=orders.backlog(shop.db) > BUSY_BACKLOG,
    )


async def add(request: Request) -> Response:
    """Put a product into the cart."""
    shop = shop_of(request)
    session = find_session(shop, request)
    form = await read_form(request, session)
    found = catalogue.find_product(shop.db, str(form.get("product", "")))
    if found is None or session is None:
        raise HTTPException(404, "There is no such product.")
    cart_id = carts.ensure_cart(shop, session)
    carts.add_to_cart(
        shop, cart_id, product_id=found.card.id, quantity=_quantity(form.get("quantity"))
    )
    journal.record_event(
        shop,
        session,
        kind="cart",
        product_id=found.card.id,
        cart_id=cart_id,
        browser=browser_of(request),
    )
    return RedirectResponse("/cart", 303)


async def update(request: Request) -> Response:
    """Change a quantity in the cart."""
    shop = shop_of(request)
    session = find_session(shop, request)
    form = await read_form(request, session)
    cart_id = carts.find_cart(shop, session) if session else None
    product_id = str(form.get("product", ""))
    if cart_id is None or not product_id.isdecimal():
        raise HTTPException(404, "There is no such product in your cart.")
    carts.set_quantity(
        shop, cart_id, product_id=int(product_id), quantity=_quantity(form.get("quantity"))
    )
    return RedirectResponse("/cart", 303)


async def check_out(request: Request) -> Response:
    """Turn the cart into an order."""
    shop = shop_of(request)
    session = find_session(shop, request)
    await read_form(request, session)
    customer_id = require_customer(session)
    cart_id = carts.find_cart(shop, session) if session else None
    lines = carts.lines_of(shop, cart_id) if cart_id else []
    if cart_id is None or not lines:
        return RedirectResponse("/cart", 303)
    journal.record_event(shop, session, kind="order", cart_id=cart_id, browser=browser_of(request))
    order_id = orders.place(shop, customer_id=customer_id, cart_id=cart_id, lines=lines)
    if order_id is None:
        raise HTTPException(422, "Please add an address to your account first.")
    journal.audit(shop, actor_id=customer_id, action="order", subject=f"order {order_id}")
    return RedirectResponse(f"/account/orders/{order_id}", 303)


def _quantity(value: object) -> int:
    text = str(value)
    if not text.isdecimal() or int(text) > MAX_QUANTITY:
        raise HTTPException(422, f"A quantity is a number from 0 to {MAX_QUANTITY}.")
    return int(text)
