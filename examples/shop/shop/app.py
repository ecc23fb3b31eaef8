"""The site, for `uvicorn shop.app:app`."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from shop import media
from shop.rendering import STATIC
from shop.services import Shop, open_shop
from shop.settings import Settings
from shop.views import account, admin, checkout, layout, questions, storefront


async def health(request: Request) -> Response:
    """Tell that the site is up."""
    return PlainTextResponse("ok")


def routes(settings: Settings) -> list[Route | Mount]:
    """Return all addresses of the site."""
    return [
        Route("/health", health),
        Route("/", storefront.home),
        Route("/c/{slug}", storefront.category),
        Route("/p/{slug}", storefront.product),
        Route("/p/{slug}/reviews", storefront.review, methods=["POST"]),
        Route("/p/{slug}/questions", questions.presets),
        Route("/search", storefront.search),
        Route("/promotion", storefront.promotion),
        Route("/assistant", questions.ask, methods=["POST"]),
        Route("/cart", checkout.show_cart),
        Route("/cart/add", checkout.add, methods=["POST"]),
        Route("/cart/update", checkout.update, methods=["POST"]),
        Route("/checkout", checkout.check_out, methods=["POST"]),
        Route("/login", account.login_form),
        Route("/login", account.log_in, methods=["POST"]),
        Route("/account", account.account),
        Route("/account/orders/{number:int}", account.order),
        Route("/admin", admin.dashboard),
        Route("/admin/orders", admin.order_list),
        Route("/admin/orders/{number:int}", admin.order),
        Route("/admin/orders/{number:int}/ship", admin.ship, methods=["POST"]),
        Route("/admin/customers", admin.customer_list),
        Route("/admin/audit", admin.audit_list),
        Mount("/static", StaticFiles(directory=STATIC)),
        Mount("/media", StaticFiles(directory=settings.media, check_dir=False)),
    ]


def build_app(settings: Settings, *, shop: Shop | None = None) -> Starlette:
    """Build the site.

    Args:
        settings: Where things are and how big they may be.
        shop: An open shop; without it, one is opened when the server starts.
    """
    app = Starlette(
        routes=routes(settings),
        exception_handlers={HTTPException: layout.error_page},
        lifespan=partial(_lifespan, settings=settings) if shop is None else None,
    )
    app.state.shop = shop
    return app


@asynccontextmanager
async def _lifespan(app: Starlette, *, settings: Settings) -> AsyncIterator[None]:
    """Open the shop for as long as the server runs."""
    media.ensure(settings.media)
    app.state.shop = open_shop(settings)
    try:
        yield
    finally:
        app.state.shop.db.close()


app = build_app(Settings.from_env(os.environ))
