"""What happened: visitors' events and the audit log."""

from shop.services import Shop
from shop.sessions import Session


def record_event(
    shop: Shop,
    session: Session | None,
    *,
    kind: str,
    browser: str,
    product_id: int | None = None,
    cart_id: int | None = None,
    detail: str = "",
) -> None:
    """Record a step of a visit."""
    with shop.db.transaction():
        shop.db.execute(
            "INSERT INTO events (session_token, cart_id, product_id, kind, detail, browser,"
            " created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                session.token if session else None,
                cart_id,
                product_id,
                kind,
                detail,
                browser,
                shop.now(),
            ),
        )


def audit(shop: Shop, *, actor_id: int, action: str, subject: str) -> None:
    """Record who did what."""
    with shop.db.transaction():
        shop.db.execute(
            "INSERT INTO audit_log (actor_id, action, subject, created_at) VALUES (?, ?, ?, ?)",
            (actor_id, action, subject, shop.now()),
        )
