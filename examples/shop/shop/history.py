"""Seeded customers and what they have done: orders, reviews, sessions, carts and events."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random

from shop.identity import NOW, STAFF_ID, customer_email, customer_name, session_token, timestamp
from shop.stock import Product, Rows, generator, moment
from shop.vocabulary import (
    BROWSERS,
    CITIES,
    COUNTRIES,
    REVIEW_SENTENCES,
    REVIEW_TITLES,
    SEARCH_TERMS,
    STREETS,
)

CUSTOMERS = 12_000
ADDRESSES_PER_CUSTOMER = 1.25
ORDERS = 24_000
REVIEWS = 36_000
SESSIONS = 6_000
CARTS = 2_500
EVENTS = 26_000
AUDIT_ENTRIES = 6_000
COUPONS = 50

POPULARITY = 1.4  # above 1, and the first products are bought more often than the others
WHOLESALERS = 20  # the first customers after the staff; they place every tenth order
PASSWORD_HASHES = (
    "pbkdf2_sha256$600000$f1a07c$945b0a7c184dc1e7dc112c888939ef5b10ccc0deb7b4bee4f5a0e92e71733f64",
    "pbkdf2_sha256$600000$2be9d4$a7fc4bdb6a1794f47d8a8c65e9e343c21023020032721f14adad51b0309b6c4f",
    "pbkdf2_sha256$600000$90c53a$19f27b3dc33c3ff4b89d3d9543b4674f79c016f3009f038a39d96bc5ef337abc",
    "pbkdf2_sha256$600000$d7713e$68b4c1a9d9572c9c0b0cdfb19f1a765d8f19d807b2692388b8f8de5326088b13",
)
"""`identity.PASSWORD` with four salts; hashing it for every customer would take an hour."""


def make_history(products: Sequence[Product], *, scale: float) -> dict[str, Rows]:
    """Make the tables of the past, in the order in which they must be inserted.

    Args:
        products: What can be bought, from the most to the least popular.
        scale: 1.0 is the full size.
    """
    customers = max(int(CUSTOMERS * scale), 100)
    sessions = max(int(SESSIONS * scale), 100)
    carts = max(int(CARTS * scale), 50)
    addresses = int(customers * ADDRESSES_PER_CUSTOMER)
    orders, items = _orders(
        products, customers=customers, addresses=addresses, count=max(int(ORDERS * scale), 50)
    )
    return {
        "customers": _customers(customers),
        "addresses": _addresses(addresses, customers=customers),
        "coupons": _coupons(),
        "orders": orders,
        "order_items": items,
        "reviews": _reviews(products, customers=customers, count=max(int(REVIEWS * scale), 50)),
        "sessions": _sessions(sessions, customers=customers),
        "carts": _carts(carts),
        "cart_items": _cart_items(products, carts=carts),
        "events": _events(
            products, sessions=sessions, carts=carts, count=max(int(EVENTS * scale), 50)
        ),
        "audit_log": _audit(customers, count=max(int(AUDIT_ENTRIES * scale), 50)),
    }


def _popular(rng: Random, products: Sequence[Product]) -> Product:
    """Choose a product; the first are the most popular, as in every shop."""
    return products[int(len(products) * rng.random() ** POPULARITY)]


def _customers(count: int) -> Rows:
    rng = generator("customers")
    return [
        (
            number,
            customer_email(number),
            PASSWORD_HASHES[number % len(PASSWORD_HASHES)],
            *customer_name(number),
            int(number == STAFF_ID),
            moment(rng, oldest=900),
        )
        for number in range(1, count + 1)
    ]


def _addresses(count: int, *, customers: int) -> Rows:
    """Return one address for each customer and a second one for the first of them."""
    rng = generator("addresses")
    return [
        (
            number,
            (number - 1) % customers + 1,
            f"{rng.choice(STREETS)} Street {rng.randrange(1, 180)}",
            f"{rng.randrange(1_000, 99_999):05}",
            rng.choice(CITIES),
            rng.choice(COUNTRIES),
        )
        for number in range(1, count + 1)
    ]


def _coupons() -> Rows:
    rng = generator("coupons")
    return [
        (number, f"SAVE{number:02}", rng.choice((5, 10, 15)), moment(rng, oldest=300))
        for number in range(1, COUPONS + 1)
    ]


def _orders(
    products: Sequence[Product], *, customers: int, addresses: int, count: int
) -> tuple[Rows, Rows]:
    """Return orders by time of placing, and their items."""
    rng = generator("orders")
    ages = sorted((720 * rng.random() ** 1.5 for _ in range(count)), reverse=True)
    orders: list[tuple[object, ...]] = []
    items: list[tuple[object, ...]] = []
    for number, age in enumerate(ages, start=1):
        wholesale = rng.random() < 0.1
        customer = rng.randrange(WHOLESALERS) + 2 if wholesale else rng.randrange(customers) + 1
        total = 0
        for _ in range(rng.choice((1, 1, 2, 2, 3, 5))):
            product = _popular(rng, products)
            quantity = rng.choice((1, 1, 1, 2, 4))
            total += quantity * product.price_cents
            items.append((len(items) + 1, number, product.id, quantity, product.price_cents))
        coupon = rng.randrange(COUPONS) + 1 if rng.random() < 0.08 else None
        address = customer if rng.random() < 0.9 else rng.randrange(addresses) + 1
        orders.append(
            (number, customer, address, coupon, *_progress(rng, total_cents=total, age_days=age))
        )
    return orders, items


def _progress(rng: Random, *, total_cents: int, age_days: float) -> tuple[object, ...]:
    """Return status, total, and when the order was placed, shipped and cancelled."""
    placed = timestamp(NOW - timedelta(days=age_days))
    soon = timestamp(NOW - timedelta(days=age_days * 0.99 if age_days < 60 else age_days - 1.5))
    chance = rng.random()
    if chance < 0.05:
        return "cancelled", total_cents, placed, None, soon
    if age_days < 5 or chance > 0.998:
        return "processing", total_cents, placed, None, None
    if age_days < 12:
        return "shipped", total_cents, placed, soon, None
    return "refunded" if chance < 0.08 else "delivered", total_cents, placed, soon, None


def _reviews(products: Sequence[Product], *, customers: int, count: int) -> Rows:
    rng = generator("reviews")
    written = sorted(moment(rng, oldest=800) for _ in range(count))
    return [
        (
            number,
            _popular(rng, products).id,
            rng.randrange(customers) + 1,
            rng.choice((1, 2, 3, 4, 4, 4, 5, 5, 5, 5)),
            rng.choice(REVIEW_TITLES),
            " ".join(rng.choices(REVIEW_SENTENCES, k=rng.randrange(2, 9))),
            written_at,
        )
        for number, written_at in enumerate(written, start=1)
    ]


def _sessions(count: int, *, customers: int) -> Rows:
    """Return sessions, newest first; one in two is logged in, the last tenth has expired."""
    rng = generator("sessions")
    rows: list[tuple[object, ...]] = []
    for number in range(1, count + 1):
        age = 33 * number / count
        seen = NOW - timedelta(days=age, seconds=600)
        rows.append(
            (
                session_token(number),
                number % customers + 1 if number % 2 else None,
                f"{rng.getrandbits(48):012x}",
                timestamp(seen - timedelta(days=rng.random() * 20)),
                timestamp(seen),
                timestamp(seen + timedelta(days=30)),
            )
        )
    return rows


def _carts(count: int) -> Rows:
    """Return one cart for each of the newest sessions."""
    rng = generator("carts")
    return [
        (number, session_token(number), moment(rng, oldest=30)) for number in range(1, count + 1)
    ]


def _cart_items(products: Sequence[Product], *, carts: int) -> Rows:
    rng = generator("cart_items")
    rows: list[tuple[object, ...]] = []
    for cart in range(1, carts + 1):
        chosen = {_popular(rng, products).id for _ in range(rng.choice((1, 2, 2, 3, 5)))}
        for product_id in sorted(chosen):
            rows.append((len(rows) + 1, cart, product_id, rng.choice((1, 1, 2))))
    return rows


def _events(products: Sequence[Product], *, sessions: int, carts: int, count: int) -> Rows:
    rng = generator("events")
    happened = sorted(moment(rng, oldest=45) for _ in range(count))
    rows: list[tuple[object, ...]] = []
    for number, created_at in enumerate(happened, start=1):
        session = rng.randrange(sessions) + 1
        kind = rng.choices(("view", "search", "cart", "order"), weights=(72, 16, 9, 3))[0]
        cart = session if kind in {"cart", "order"} and session <= carts else None
        product_id = _popular(rng, products).id if kind in {"view", "cart"} else None
        detail = rng.choice(SEARCH_TERMS) if kind == "search" else ""
        browser = BROWSERS[session % len(BROWSERS)]
        token = session_token(session)
        rows.append((number, token, cart, product_id, kind, detail, browser, created_at))
    return rows


def _audit(customers: int, *, count: int) -> Rows:
    rng = generator("audit_log")
    happened = sorted(moment(rng, oldest=400) for _ in range(count))
    rows: list[tuple[object, ...]] = []
    for number, created_at in enumerate(happened, start=1):
        by_staff = rng.random() < 0.2
        actor = STAFF_ID if by_staff else rng.randrange(customers) + 1
        action = "ship" if by_staff else rng.choice(("login", "login", "order", "review"))
        rows.append((number, actor, action, f"{action} {rng.randrange(1, 20_000)}", created_at))
    return rows
