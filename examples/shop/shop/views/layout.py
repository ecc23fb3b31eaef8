"""What all pages have in common."""

from datetime import date

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shop import delivery
from shop.catalogue import Card
from shop.navigation import build_menu
from shop.services import Shop, shop_of
from shop.sessions import Session, remember


def render(
    shop: Shop, template: str, *, session: Session | None, status: int = 200, **values: object
) -> Response:
    """Fill a template, with the menu and with the dates of delivery."""

    def arrival(card: Card) -> date:
        return delivery.estimate(shop.clock().date(), weight_g=card.weight_g)

    response: Response = shop.renderer.page(
        template,
        status=status,
        menu=build_menu(shop.categories),
        session=session,
        arrival=arrival,
        **values,
    )
    return remember(response, session) if session else response


def browser_of(request: Request) -> str:
    """Return what the visitor's browser calls itself."""
    return request.headers.get("user-agent", "")


async def error_page(request: Request, error: Exception) -> Response:
    """Say what went wrong."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "Something went wrong."
    return render(shop_of(request), "error.html", session=None, status=status, detail=detail)
