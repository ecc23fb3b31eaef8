"""Pages for everybody: home, categories, products and search."""

from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from shop import catalogue, journal, moderation, orders, related
from shop.highlight import highlight
from shop.identity import timestamp
from shop.services import Shop, shop_of
from shop.sessions import ensure_session, find_session, read_form, require_customer
from shop.views.layout import browser_of, render

BESTSELLER_DAYS = 14


async def home(request: Request) -> Response:
    """The front page: what sells best and what is new in the department of the day."""
    shop = shop_of(request)
    since = timestamp(shop.clock() - timedelta(days=BESTSELLER_DAYS))
    departments = [c for c in shop.categories if c.parent_id is None]
    department = departments[shop.clock().toordinal() % len(departments)]
    return render(
        shop,
        "home.html",
        session=None,
        bestsellers=catalogue.cards(
            shop.db, shop.cards, catalogue.bestsellers(shop.db, since=since)
        ),
        department=department,
        newest=catalogue.newest(shop.db, department.id),
    )


async def category(request: Request) -> Response:
    """A department's new products, or a page of a category."""
    shop = shop_of(request)
    slug = request.path_params["slug"]
    found = next((c for c in shop.categories if c.slug == slug), None)
    if found is None:
        raise HTTPException(404, "There is no such category.")
    if found.parent_id is None:
        cards = catalogue.newest(shop.db, found.id)
        return render(shop, "department.html", session=None, category=found, cards=cards)
    page = _page_number(request)
    cards = catalogue.category_page(shop.db, found.id, page=page)
    return render(
        shop,
        "category.html",
        session=None,
        category=found,
        cards=cards,
        ratings={card.id: catalogue.rating_of(shop.db, card.id) for card in cards},
        brands=catalogue.all_brands(shop.db),
        page=page,
        pages=-(-catalogue.count_in_category(shop.db, found.id) // catalogue.PAGE_SIZE),
    )


async def product(request: Request) -> Response:
    """A product with its reviews and with what goes with it."""
    shop = shop_of(request)
    session = ensure_session(shop, request)
    found = _find_product(shop, request)
    number = found.card.id
    recent = catalogue.recently_viewed(shop.db, session.token)
    journal.record_event(shop, session, kind="view", product_id=number, browser=browser_of(request))
    return render(
        shop,
        "product.html",
        session=session,
        product=found,
        rating=catalogue.rating_of(shop.db, number),
        reviews=catalogue.latest_reviews(shop.db, number),
        related=catalogue.cards(shop.db, shop.cards, _related(shop, found)),
        recent=catalogue.cards(shop.db, shop.cards, [other for other in recent if other != number]),
    )


async def search(request: Request) -> Response:
    """Products by words of their names and descriptions."""
    shop = shop_of(request)
    query = request.query_params.get("q", "").strip()
    matches = catalogue.search(shop.db, query) if query else []
    if query and not matches:
        journal.record_event(shop, None, kind="search", detail=query, browser=browser_of(request))
    terms = query.split()
    results = [
        {
            "card": match.card,
            "name": highlight(match.card.name, terms=terms),
            "description": highlight(match.description, terms=terms),
        }
        for match in matches
    ]
    return render(shop, "search.html", session=None, query=query, results=results)


async def review(request: Request) -> Response:
    """Take a review from somebody who has bought the product."""
    shop = shop_of(request)
    session = find_session(shop, request)
    form = await read_form(request, session)
    customer_id = require_customer(session)
    found = _find_product(shop, request)
    if not orders.has_bought(shop.db, customer_id, product_id=found.card.id):
        raise HTTPException(403, "Only customers who have bought a product can review it.")
    title, body = str(form.get("title", "")), str(form.get("body", ""))
    if moderation.blocked_words(f"{title} {body}"):
        raise HTTPException(422, "Please write your review without insults.")
    with shop.db.transaction():
        shop.db.execute(
            "INSERT INTO reviews (product_id, customer_id, rating, title, body, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (found.card.id, customer_id, _rating(form.get("rating")), title, body, shop.now()),
        )
    journal.audit(shop, actor_id=customer_id, action="review", subject=f"review {found.card.id}")
    return RedirectResponse(f"/p/{found.card.slug}", 303)


async def promotion(request: Request) -> Response:
    """The banner that the browser loads after the page."""
    day = shop_of(request).clock().strftime("%A")
    return JSONResponse({"text": f"{day} deal: free delivery from € 40. Use the code FREE40."})


def _find_product(shop: Shop, request: Request) -> catalogue.Product:
    found = catalogue.find_product(shop.db, request.path_params["slug"])
    if found is None:
        raise HTTPException(404, "There is no such product.")
    return found


def _related(shop: Shop, found: catalogue.Product) -> list[int]:
    """Choose what to show beside a product."""
    tags_of = catalogue.department_tags(shop.db, found.department_id)
    candidates = related.merge_candidates(
        [
            catalogue.bought_together(shop.db, found.card.id),
            catalogue.same_brand(shop.db, found.brand_id),
            list(tags_of),
        ],
        exclude=found.card.id,
    )
    ranked = related.rank_by_tags(candidates, tags=found.tags, tags_of=tags_of)
    return ranked[: catalogue.RELATED_SHOWN]


def _page_number(request: Request) -> int:
    text = request.query_params.get("page", "1")
    return max(int(text), 1) if text.isdecimal() else 1


def _rating(value: object) -> int:
    text = str(value)
    if text not in {"1", "2", "3", "4", "5"}:
        raise HTTPException(422, "A rating is a number from 1 to 5.")
    return int(text)
