"""Seeded categories, brands and products: what the shop sells."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import timedelta
from random import Random

from shop.identity import NOW
from shop.vocabulary import (
    ADJECTIVES,
    BRAND_ENDINGS,
    BRAND_STEMS,
    COUNTRIES,
    DEPARTMENTS,
    DESCRIPTION_SENTENCES,
    MATERIALS,
    TAGS,
)

PRODUCTS = 6_000
IMAGES = 12
DAY_NAMES = [(NOW - timedelta(days=age)).strftime("%Y-%m-%d") for age in range(1_000)]
"""Dates by age in days, newest first."""

Rows = Sequence[tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One row of the products table, in the order of its columns."""

    id: int
    slug: str
    name: str
    brand_id: int
    department_id: int
    price_cents: int
    weight_g: int
    stock: int
    active: int
    image: str
    tags: str
    created_at: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """The tables, in the order in which they must be inserted."""

    tables: dict[str, Rows]
    products: Sequence[Product]
    """From the most to the least popular."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf:
    id: int
    department_id: int
    noun: str


def generator(name: str) -> Random:
    """Return the table's own generator, so that tables do not depend on each other's order."""
    return Random(f"shop {name}")


def moment(rng: Random, *, oldest: int, newest: int = 0) -> str:
    """Return a timestamp between `oldest` and `newest` days before the end of the history."""
    second = int(rng.random() * 86_400)
    day = DAY_NAMES[newest + 1 + int(rng.random() * (oldest - newest))]
    return f"{day}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


def make_stock(*, scale: float) -> Stock:
    """Make what the shop sells."""
    categories, leaves = _categories()
    rows, placements = _products(leaves, count=max(int(PRODUCTS * scale), len(leaves)))
    return Stock(
        tables={
            "categories": categories,
            "brands": _brands(),
            "products": [astuple(product) for product in rows],
            "product_category": placements,
        },
        products=rows,
    )


def _categories() -> tuple[Rows, list[_Leaf]]:
    """Return the departments followed by their categories, and the latter as leaves."""
    rows: list[tuple[object, ...]] = [
        (number, None, name, name.lower(), number)
        for number, name in enumerate(DEPARTMENTS, start=1)
    ]
    leaves: list[_Leaf] = []
    for department_id, (department, nouns) in enumerate(DEPARTMENTS.items(), start=1):
        for position, noun in enumerate(nouns, start=1):
            number = len(rows) + 1
            slug = f"{department}-{noun}".lower()
            rows.append((number, department_id, noun, slug, position))
            leaves.append(_Leaf(id=number, department_id=department_id, noun=noun))
    return rows, leaves


def _brands() -> Rows:
    rng = generator("brands")
    names = [f"{stem} {ending}" for stem in BRAND_STEMS for ending in BRAND_ENDINGS]
    return [(number, name, rng.choice(COUNTRIES)) for number, name in enumerate(names, start=1)]


def _products(leaves: Sequence[_Leaf], *, count: int) -> tuple[Sequence[Product], Rows]:
    """Return the products and their places in the categories; one in two stands in a second one."""
    rng = generator("products")
    brands = len(BRAND_STEMS) * len(BRAND_ENDINGS)
    products: list[Product] = []
    placements: list[tuple[object, ...]] = []
    for number in range(1, count + 1):
        leaf = leaves[number * 29 % len(leaves)]
        name = f"{rng.choice(ADJECTIVES)} {rng.choice(MATERIALS)} {leaf.noun}"
        products.append(
            Product(
                id=number,
                slug=f"{name.lower().replace(' ', '-')}-{number}",
                name=name,
                brand_id=rng.randrange(brands) + 1,
                department_id=leaf.department_id,
                price_cents=rng.randrange(499, 29_900),
                weight_g=rng.randrange(80, 9_000),
                stock=rng.randrange(0, 400),
                active=0 if rng.random() < 0.04 else 1,
                image=f"product-{number % IMAGES + 1:02}.png",
                tags=" ".join(rng.sample(TAGS, 4)),
                created_at=moment(rng, oldest=900),
                description=" ".join(rng.choices(DESCRIPTION_SENTENCES, k=rng.randrange(4, 9))),
            )
        )
        placements.append((number, leaf.id))
        if rng.random() < 0.5:
            other = rng.choice(leaves)
            if other.id != leaf.id:
                placements.append((number, other.id))
    return products, placements
