"""Orders: placing them, and what customers and staff see of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from shop.carts import Line
from shop.database import Connection
from shop.services import Shop


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order without its lines."""

    id: int
    customer_id: int
    status: str
    total_cents: int
    placed_at: str
    shipped_at: str | None


def place(shop: Shop, *, customer_id: int, cart_id: int, lines: Sequence[Line]) -> int | None:
    """Turn a cart into an order and return its id, or None if the customer has no address."""
    address = shop.db.row(
        "SELECT id FROM addresses WHERE customer_id = ? ORDER BY id LIMIT 1", (customer_id,)
    )
    if address is None:
        return None
    with shop.db.transaction():
        order_id = shop.db.execute(
            "INSERT INTO orders (customer_id, address_id, status, total_cents, placed_at)"
            " VALUES (?, ?, 'processing', ?, ?)",
            (customer_id, address[0], sum(line.total_cents for line in lines), shop.now()),
        )
        for line in lines:
            shop.db.execute(
                "INSERT INTO order_items (order_id, product_id, quantity, price_cents)"
                " VALUES (?, ?, ?, ?)",
                (order_id, line.product_id, line.quantity, line.price_cents),
            )
            shop.db.execute(
                "UPDATE products SET stock = MAX(stock - ?, 0) WHERE id = ?",
                (line.quantity, line.product_id),
            )
        shop.db.execute("DELETE FROM carts WHERE id = ?", (cart_id,))
    return order_id


def recent_orders(db: Connection, customer_id: int) -> list[Order]:
    """Return a customer's newest orders."""
    return _orders(
        db.rows(
            "SELECT * FROM orders WHERE customer_id = ? ORDER BY placed_at DESC, id DESC LIMIT 5",
            (customer_id,),
        )
    )


def buy_again(db: Connection, customer_id: int) -> list[int]:
    """Return the ids of products that a customer has received, the latest first."""
    rows = db.rows(
        "SELECT oi.product_id, MAX(o.placed_at) FROM orders o JOIN order_items oi"
        " ON oi.order_id = o.id WHERE o.customer_id = ? AND o.status = 'delivered'"
        " GROUP BY oi.product_id ORDER BY 2 DESC, 1 LIMIT 6",
        (customer_id,),
    )
    return [row[0] for row in rows]


def find_order(db: Connection, order_id: int) -> Order | None:
    """Return an order."""
    found = _orders(db.rows("SELECT * FROM orders WHERE id = ?", (order_id,)))
    return found[0] if found else None


def lines_of(db: Connection, order_id: int) -> list[Line]:
    """Return the lines of an order."""
    rows = db.rows(
        "SELECT p.id, p.name, p.slug, oi.quantity, oi.price_cents FROM order_items oi"
        " JOIN products p ON p.id = oi.product_id WHERE oi.order_id = ? ORDER BY oi.id",
        (order_id,),
    )
    return [
        Line(product_id=row[0], name=row[1], slug=row[2], quantity=row[3], price_cents=row[4])
        for row in rows
    ]


def has_bought(db: Connection, customer_id: int, *, product_id: int) -> bool:
    """Return whether a customer has ever ordered a product."""
    row = db.row(
        "SELECT 1 FROM orders o JOIN order_items oi ON oi.order_id = o.id"
        " WHERE o.customer_id = ? AND oi.product_id = ? LIMIT 1",
        (customer_id, product_id),
    )
    return row is not None


def unshipped(db: Connection) -> list[Order]:
    """Return the orders that wait for the warehouse, oldest first."""
    return _orders(
        db.rows(
            "SELECT * FROM orders WHERE shipped_at IS NULL AND cancelled_at IS NULL"
            " ORDER BY placed_at, id LIMIT 20"
        )
    )


def backlog(db: Connection) -> int:
    """Return how many orders wait for the warehouse."""
    row = db.row("SELECT COUNT(*) FROM orders WHERE shipped_at IS NULL AND cancelled_at IS NULL")
    return int(row[0]) if row else 0


def by_status(db: Connection, status: str, *, page: int) -> list[Order]:
    """Return a page of the orders with a status, newest first; pages count from 1."""
    return _orders(
        db.rows(
            "SELECT * FROM orders WHERE status = ?"
            " ORDER BY placed_at DESC, id DESC LIMIT 25 OFFSET ?",
            (status, (page - 1) * 25),
        )
    )


def ship(shop: Shop, order_id: int) -> None:
    """Mark an order as shipped."""
    with shop.db.transaction():
        shop.db.execute(
            "UPDATE orders SET status = 'shipped', shipped_at = ? WHERE id = ?",
            (shop.now(), order_id),
        )


def _orders(rows: Sequence[tuple]) -> list[Order]:  # type: ignore[type-arg]  # database rows
    return [
        Order(
            id=row[0],
            customer_id=row[1],
            status=row[4],
            total_cents=row[5],
            placed_at=row[6],
            shipped_at=row[7],
        )
        for row in rows
    ]
