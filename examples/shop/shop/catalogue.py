"""Queries for what the shop sells."""

from collections.abc import Sequence
from dataclasses import dataclass

from shop.cache import LruCache
from shop.database import Connection

PAGE_SIZE = 6
RELATED_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A department (without a parent) or a category in it."""

    id: int
    parent_id: int | None
    name: str
    slug: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is shown of a product outside its own page."""

    id: int
    slug: str
    name: str
    price_cents: int
    weight_g: int
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product's own page."""

    card: Card
    department_id: int
    brand: str
    brand_id: int
    stock: int
    tags: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """What customers think of a product."""

    average: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One customer's opinion."""

    rating: int
    title: str
    body: str
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One result of a search."""

    card: Card
    description: str


def all_categories(db: Connection) -> list[Category]:
    """Return departments and categories in the order of the menu."""
    rows = db.rows("SELECT id, parent_id, name, slug FROM categories ORDER BY parent_id, position")
    return [Category(id=row[0], parent_id=row[1], name=row[2], slug=row[3]) for row in rows]


def all_brands(db: Connection) -> list[str]:
    """Return the names of all brands."""
    return [row[0] for row in db.rows("SELECT name FROM brands ORDER BY name")]


def count_in_category(db: Connection, category_id: int) -> int:
    """Return how many products stand in a category."""
    row = db.row("SELECT COUNT(*) FROM product_category WHERE category_id = ?", (category_id,))
    return int(row[0]) if row else 0


def category_page(db: Connection, category_id: int, *, page: int) -> list[Card]:
    """Return a page of a category, cheapest first; pages count from 1."""
    rows = db.rows(
        "SELECT p.* FROM products p JOIN product_category pc ON pc.product_id = p.id"
        " WHERE pc.category_id = ? AND p.active = 1 ORDER BY p.price_cents, p.id LIMIT 6 OFFSET ?",
        (category_id, (page - 1) * PAGE_SIZE),
    )
    return [_card(row) for row in rows]


def newest(db: Connection, department_id: int) -> list[Card]:
    """Return what is new in a department."""
    rows = db.rows(
        "SELECT * FROM products WHERE department_id = ? AND active = 1"
        " ORDER BY created_at DESC LIMIT 8",
        (department_id,),
    )
    return [_card(row) for row in rows]


def bestsellers(db: Connection, *, since: str) -> list[int]:
    """Return the ids of what was bought most often since a moment."""
    rows = db.rows(
        "SELECT product_id, SUM(quantity) FROM order_items WHERE order_id IN"
        " (SELECT id FROM orders WHERE placed_at >= ?)"
        " GROUP BY product_id ORDER BY 2 DESC, 1 LIMIT 8",
        (since,),
    )
    return [row[0] for row in rows]


def rating_of(db: Connection, product_id: int) -> Rating:
    """Return a product's rating; the average of no reviews is 0."""
    row = db.row("SELECT AVG(rating), COUNT(*) FROM reviews WHERE product_id = ?", (product_id,))
    average, count = row or (None, 0)
    return Rating(average=average or 0.0, count=count)


def find_product(db: Connection, slug: str) -> Product | None:
    """Return the product with this slug."""
    row = db.row(
        "SELECT p.*, b.name FROM products p JOIN brands b ON b.id = p.brand_id WHERE p.slug = ?",
        (slug,),
    )
    if row is None:
        return None
    return Product(
        card=_card(row),
        department_id=row[4],
        brand_id=row[3],
        brand=row[13],
        stock=row[7],
        tags=tuple(row[10].split()),
        description=row[12],
    )


def latest_reviews(db: Connection, product_id: int) -> list[Review]:
    """Return the newest reviews of a product."""
    rows = db.rows(
        "SELECT rating, title, body, created_at FROM reviews WHERE product_id = ?"
        " ORDER BY created_at DESC LIMIT 5",
        (product_id,),
    )
    return [Review(rating=row[0], title=row[1], body=row[2], created_at=row[3]) for row in rows]


def bought_together(db: Connection, product_id: int) -> list[int]:
    """Return the ids of what stands in the same orders, most frequent first."""
    rows = db.rows(
        "SELECT product_id, COUNT(*) FROM order_items WHERE order_id IN"
        " (SELECT order_id FROM order_items WHERE product_id = ?)"
        " GROUP BY product_id ORDER BY 2 DESC, 1 LIMIT 20",
        (product_id,),
    )
    return [row[0] for row in rows]


def same_brand(db: Connection, brand_id: int) -> list[int]:
    """Return the ids of a brand's products."""
    rows = db.rows(
        "SELECT id FROM products WHERE brand_id = ? AND active = 1 ORDER BY id", (brand_id,)
    )
    return [row[0] for row in rows]


def department_tags(db: Connection, department_id: int) -> dict[int, tuple[str, ...]]:
    """Return the tags of all products of a department by id."""
    rows = db.rows(
        "SELECT id, tags FROM products WHERE department_id = ? AND active = 1 ORDER BY id",
        (department_id,),
    )
    return {row[0]: tuple(row[1].split()) for row in rows}


def recently_viewed(db: Connection, token: str) -> list[int]:
    """Return the ids of what a visitor looked at, newest first."""
    rows = db.rows(
        "SELECT product_id, MAX(id) FROM events WHERE session_token = ? AND kind = 'view'"
        " GROUP BY product_id ORDER BY 2 DESC LIMIT 6",
        (token,),
    )
    return [row[0] for row in rows]


def search(db: Connection, term: str) -> list[Match]:
    """Return products whose name or description contains the term."""
    pattern = f"%{term}%"
    rows = db.rows(
        "SELECT * FROM products WHERE active = 1 AND (name LIKE ? OR description LIKE ?)"
        " ORDER BY name, id LIMIT 12",
        (pattern, pattern),
    )
    return [Match(card=_card(row), description=row[12]) for row in rows]


def cards(db: Connection, cache: LruCache[int, Card], ids: Sequence[int]) -> list[Card]:
    """Return the cards of products in the order of their ids."""
    found = {number: card for number in ids if (card := cache.get(number)) is not None}
    missing = [number for number in ids if number not in found]
    if missing:
        marks = ",".join("?" * len(missing))
        for row in db.rows(f"SELECT * FROM products WHERE id IN ({marks})", missing):
            found[row[0]] = _card(row)
            cache.put(row[0], found[row[0]])
    return [found[number] for number in ids if number in found]


def _card(row: Sequence) -> Card:  # type: ignore[type-arg]  # a row of the database
    return Card(
        id=row[0], slug=row[1], name=row[2], price_cents=row[5], weight_g=row[6], image=row[9]
    )
