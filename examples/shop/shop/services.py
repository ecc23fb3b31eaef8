"""What the request handlers work with."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request

from shop.assistant import Assistant
from shop.cache import LruCache
from shop.catalogue import Card, Category, all_categories
from shop.database import Database, Observer
from shop.identity import timestamp
from shop.rendering import Renderer
from shop.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """One running shop."""

    settings: Settings
    db: Database
    categories: Sequence[Category]
    cards: LruCache[int, Card]
    renderer: Renderer
    assistant: Assistant
    clock: Callable[[], datetime]
    new_token: Callable[[], str]

    def now(self) -> str:
        """Return the present moment as the database stores it."""
        return timestamp(self.clock())


def open_shop(
    settings: Settings,
    *,
    clock: Callable[[], datetime] | None = None,
    new_token: Callable[[], str] | None = None,
    observe: Observer | None = None,
) -> Shop:
    """Open the database and build everything that the handlers need.

    Args:
        settings: Where things are and how big they may be.
        clock: The time; by default `settings.now`, else the real one.
        new_token: Makes session tokens; by default unpredictable ones.
        observe: Told every SQL statement.

    Raises:
        MissingDatabaseError: If the database has not been seeded.
    """
    fixed = settings.now
    db = Database(settings.db, pool_size=settings.pool_size, observe=observe)
    return Shop(
        settings=settings,
        db=db,
        categories=all_categories(db),
        cards=LruCache(size=settings.card_cache_size),
        renderer=Renderer(media=settings.media, cache_size=settings.template_cache_size),
        assistant=Assistant(settings),
        clock=clock or ((lambda: fixed) if fixed else (lambda: datetime.now(UTC))),
        new_token=new_token or (lambda: secrets.token_hex(8)),
    )


def shop_of(request: Request) -> Shop:
    """Return the shop that the request was sent to."""
    shop: Shop = request.app.state.shop
    return shop
