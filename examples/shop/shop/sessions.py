"""Visitors between requests: sessions, logins and protection against forged forms."""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shop.identity import timestamp
from shop.services import Shop

COOKIE = "session"
LIFETIME = timedelta(days=30)
TOUCH_S = 600  # a session is not written more often than this


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One visitor."""

    token: str
    customer_id: int | None
    csrf: str


def find_session(shop: Shop, request: Request) -> Session | None:
    """Return the visitor's session if there is a live one, and prolong it."""
    token = request.cookies.get(COOKIE)
    if token is None:
        return None
    row = shop.db.row("SELECT * FROM sessions WHERE token = ?", (token,))
    if row is None:
        return None
    _, customer_id, csrf, _, last_seen_at, expires_at = row
    if expires_at < shop.now():
        return None
    _touch(shop, token, last_seen=datetime.fromisoformat(last_seen_at))
    return Session(token=token, customer_id=customer_id, csrf=csrf)


def ensure_session(shop: Shop, request: Request) -> Session:
    """Return the visitor's session, starting one if needed."""
    return find_session(shop, request) or start_session(shop, customer_id=None)


def start_session(shop: Shop, *, customer_id: int | None) -> Session:
    """Start a session."""
    session = Session(token=shop.new_token(), customer_id=customer_id, csrf=shop.new_token())
    now = shop.now()
    expires = timestamp(shop.clock() + LIFETIME)
    with shop.db.transaction():
        shop.db.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (token) DO NOTHING",
            (session.token, customer_id, session.csrf, now, now, expires),
        )
    return session


def remember(response: Response, session: Session) -> Response:
    """Give the visitor the session's cookie."""
    response.set_cookie(COOKIE, session.token, httponly=True, samesite="lax")
    return response


def require_customer(session: Session | None) -> int:
    """Return the customer's id.

    Raises:
        HTTPException: 401 if nobody is logged in.
    """
    if session is None or session.customer_id is None:
        raise HTTPException(401, "Please log in first.")
    return session.customer_id


async def read_form(request: Request, session: Session | None) -> FormData:
    """Read a form that was made for this session.

    Raises:
        HTTPException: 403 if there is no session or the form comes from another site.
    """
    form = await request.form()
    expected = session.csrf if session else ""
    if not expected or not hmac.compare_digest(str(form.get("csrf", "")), expected):
        raise HTTPException(403, "This form has expired. Please go back and reload the page.")
    return form


def _touch(shop: Shop, token: str, *, last_seen: datetime) -> None:
    now = shop.clock()
    if (now.replace(tzinfo=None) - last_seen).total_seconds() < TOUCH_S:
        return
    with shop.db.transaction():
        shop.db.execute(
            "UPDATE sessions SET last_seen_at = ?, expires_at = ? WHERE token = ?",
            (timestamp(now), timestamp(now + LIFETIME), token),
        )
