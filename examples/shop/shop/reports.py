"""What the staff want to know about the business."""

from shop.database import Connection
from shop.services import Shop


def revenue_by_day(db: Connection, since: str) -> list[tuple[str, int, int]]:
    """Return day, number of orders and revenue in cents, newest day first."""
    return db.rows(
        "SELECT substr(placed_at, 1, 10), COUNT(*), SUM(total_cents) FROM orders"
        " WHERE placed_at >= ? GROUP BY 1 ORDER BY 1 DESC",
        (since,),
    )


def low_stock(db: Connection) -> list[tuple[str, int]]:
    """Return name and stock of the products that run out."""
    return db.rows(
        "SELECT name, stock FROM products WHERE stock < 5 AND active = 1 ORDER BY stock LIMIT 20"
    )


def actions_of(db: Connection, actor_id: int) -> list[tuple[str, str, str]]:
    """Return moment, action and subject of what somebody did lately."""
    return db.rows(
        "SELECT created_at, action, subject FROM audit_log WHERE actor_id = ?"
        " ORDER BY id DESC LIMIT 20",
        (actor_id,),
    )


def purge_sessions(shop: Shop) -> None:
    """Forget the sessions that have expired."""
    with shop.db.transaction():
        shop.db.execute("DELETE FROM sessions WHERE expires_at < ?", (shop.now(),))
