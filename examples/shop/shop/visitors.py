"""Visitors with a browser, and what they do on the site, one request at a time."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

import httpx

from shop.identity import PASSWORD, customer_email
from shop.vocabulary import LAST_NAMES, REVIEW_SENTENCES, REVIEW_TITLES, SEARCH_TERMS

PAGE = re.compile(r'href="(/(?:c|p)/[^"?#]+(?:\?page=\d+)?)"')
ADMIN_ORDER = re.compile(r'href="(/admin/orders/\d+)"')
ACCOUNT_ORDER = re.compile(r'href="(/account/orders/\d+)"')
CART_PRODUCT = re.compile(r'name="product" value="(\d+)"')
CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


class Role(StrEnum):
    """Who sends requests."""

    CRAWLER = "crawler"
    GUEST = "guest"
    CUSTOMER = "customer"
    STAFF = "staff"


@dataclass(slots=True, kw_only=True)
class Visitor:
    """Somebody who knows the site only from the pages seen so far."""

    role: Role
    customer_id: int
    """Whom this visitor logs in as."""
    http: httpx.AsyncClient
    logged_in: bool = False
    csrf: str = ""
    categories: list[str] = field(default_factory=list)
    products: list[str] = field(default_factory=list)
    bought: list[str] = field(default_factory=list)
    found: dict[re.Pattern[str], list[str]] = field(default_factory=dict)
    """What the patterns matched on the page that last had any of it."""

    async def get(self, path: str) -> httpx.Response:
        """Open a page and look at its links."""
        response = await self.http.get(path)
        html = response.text
        pages = list(dict.fromkeys(PAGE.findall(html)))
        self.categories = [page for page in pages if page.startswith("/c/")] or self.categories
        self.products = [page for page in pages if page.startswith("/p/")] or self.products
        if path.startswith("/account"):
            self.bought = self.products
        for pattern in (ADMIN_ORDER, ACCOUNT_ORDER, CART_PRODUCT):
            if matches := list(dict.fromkeys(pattern.findall(html))):
                self.found[pattern] = matches
        if token := CSRF.search(html):
            self.csrf = token.group(1)
        return response

    async def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form of the page seen last."""
        return await self.http.post(path, data={"csrf": self.csrf, **fields})


Step = Callable[[Visitor, Random], Awaitable[httpx.Response]]


async def view_home(visitor: Visitor, _: Random) -> httpx.Response:
    """Open the front page."""
    return await visitor.get("/")


async def view_category(visitor: Visitor, rng: Random) -> httpx.Response:
    """Open a category, or a further page of one."""
    if not visitor.categories:
        return await view_home(visitor, rng)
    return await visitor.get(rng.choice(visitor.categories))


async def view_product(visitor: Visitor, rng: Random) -> httpx.Response:
    """Open a product."""
    if not visitor.products:
        return await search(visitor, rng)
    return await visitor.get(rng.choice(visitor.products))


async def search(visitor: Visitor, rng: Random) -> httpx.Response:
    """Look for a word."""
    return await visitor.get(f"/search?q={rng.choice(SEARCH_TERMS)}")


async def view_cart(visitor: Visitor, _: Random) -> httpx.Response:
    """Open the cart."""
    visitor.found.pop(CART_PRODUCT, None)
    return await visitor.get("/cart")


async def add_to_cart(visitor: Visitor, rng: Random) -> httpx.Response:
    """Put one of the products on the page into the cart."""
    if not visitor.csrf or not visitor.products:
        return await view_product(visitor, rng)
    slug = rng.choice(visitor.products).removeprefix("/p/")
    return await visitor.post("/cart/add", product=slug, quantity=str(rng.choice((1, 1, 2))))


async def change_cart(visitor: Visitor, rng: Random) -> httpx.Response:
    """Change a quantity in the cart."""
    in_cart = visitor.found.get(CART_PRODUCT)
    if not visitor.csrf or not in_cart:
        return await view_cart(visitor, rng)
    quantity = rng.choice((0, 1, 2, 3))
    return await visitor.post("/cart/update", product=rng.choice(in_cart), quantity=str(quantity))


async def check_out(visitor: Visitor, rng: Random) -> httpx.Response:
    """Look at the cart, and the next time order what is in it."""
    if not visitor.logged_in:
        return await log_in(visitor, rng)
    if not visitor.csrf or CART_PRODUCT not in visitor.found:
        return await view_cart(visitor, rng)
    del visitor.found[CART_PRODUCT]
    return await visitor.post("/checkout")


async def log_in(visitor: Visitor, rng: Random) -> httpx.Response:
    """Open the form, and the next time send it; one password in eight has a typing error."""
    if not visitor.csrf:
        return await visitor.get("/login")
    wrong = rng.random() < 0.125
    response = await visitor.post(
        "/login",
        email=customer_email(visitor.customer_id),
        password=PASSWORD.upper() if wrong else PASSWORD,
    )
    visitor.logged_in = not wrong
    visitor.csrf = visitor.csrf if wrong else ""  # the new session has another one
    return response


async def view_account(visitor: Visitor, rng: Random) -> httpx.Response:
    """Open the account, or an order in it."""
    if not visitor.logged_in:
        return await log_in(visitor, rng)
    orders = visitor.found.get(ACCOUNT_ORDER, [])
    return await visitor.get(rng.choice(["/account", *orders[:2]]))


async def write_review(visitor: Visitor, rng: Random) -> httpx.Response:
    """Review something bought earlier, which the account shows."""
    if not visitor.bought:
        return await view_account(visitor, rng)
    if not visitor.csrf:
        return await view_product(visitor, rng)
    return await visitor.post(
        f"{rng.choice(visitor.bought)}/reviews",
        rating=str(rng.randrange(1, 6)),
        title=rng.choice(REVIEW_TITLES),
        body=" ".join(rng.choices(REVIEW_SENTENCES, k=3)),
    )


async def view_dashboard(visitor: Visitor, rng: Random) -> httpx.Response:
    """Open the back office."""
    return await visitor.get("/admin") if visitor.logged_in else await log_in(visitor, rng)


async def list_orders(visitor: Visitor, rng: Random) -> httpx.Response:
    """List orders by status."""
    if not visitor.logged_in:
        return await log_in(visitor, rng)
    status = rng.choice(("processing", "shipped", "delivered", "delivered", "refunded"))
    return await visitor.get(f"/admin/orders?status={status}")


async def open_order(visitor: Visitor, rng: Random) -> httpx.Response:
    """Open one of the listed orders."""
    listed = visitor.found.get(ADMIN_ORDER)
    return await visitor.get(rng.choice(listed)) if listed else await view_dashboard(visitor, rng)


async def ship_order(visitor: Visitor, rng: Random) -> httpx.Response:
    """Mark one of the listed orders as shipped."""
    listed = visitor.found.get(ADMIN_ORDER)
    if not listed or not visitor.csrf:
        return await open_order(visitor, rng)
    return await visitor.post(f"{rng.choice(listed)}/ship")


async def find_customers(visitor: Visitor, rng: Random) -> httpx.Response:
    """Look for a customer by the beginning of the name, in small letters as people type."""
    if not visitor.logged_in:
        return await log_in(visitor, rng)
    return await visitor.get(f"/admin/customers?q={rng.choice(LAST_NAMES)[:4].lower()}")


async def view_audit(visitor: Visitor, rng: Random) -> httpx.Response:
    """Open the audit log."""
    return await visitor.get("/admin/audit") if visitor.logged_in else await log_in(visitor, rng)


BROWSING: Mapping[Step, int] = {
    view_home: 7,
    view_category: 3,
    view_product: 3,
    search: 8,
    add_to_cart: 6,
    view_cart: 6,
    change_cart: 4,
}
STEPS: Mapping[Role, Mapping[Step, int]] = {
    Role.CRAWLER: {view_home: 4, view_category: 5, view_product: 4, search: 8},
    Role.GUEST: {**BROWSING, log_in: 2},
    Role.CUSTOMER: {**BROWSING, check_out: 9, view_account: 7, write_review: 2},
    Role.STAFF: {
        view_dashboard: 4,
        list_orders: 4,
        open_order: 4,
        ship_order: 3,
        find_customers: 3,
        view_audit: 1,
    },
}
"""What each role does, with the relative frequencies."""


async def act(visitor: Visitor, rng: Random) -> tuple[str, int]:
    """Send one request and return the step's name and the status of the answer.

    Guests who have logged in do what customers do; crawlers forget their cookies.
    """
    known = visitor.role is Role.GUEST and visitor.logged_in
    steps = STEPS[Role.CUSTOMER if known else visitor.role]
    step = rng.choices(list(steps), weights=list(steps.values()))[0]
    response = await step(visitor, rng)
    if visitor.role is Role.CRAWLER:
        visitor.http.cookies.clear()
    return step.__name__, response.status_code
