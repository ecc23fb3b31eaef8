"""What visitors have put aside."""

from dataclasses import dataclass

from shop.services import Shop
from shop.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One product in a cart or an order."""

    product_id: int
    name: str
    slug: str
    quantity: int
    price_cents: int

    @property
    def total_cents(self) -> int:
        """The price of the line."""
        return self.quantity * self.price_cents


def find_cart(shop: Shop, session: Session) -> int | None:
    """Return the id of the visitor's cart."""
    row = shop.db.row("SELECT id FROM carts WHERE session_token = ?", (session.token,))
    return row[0] if row else None


def ensure_cart(shop: Shop, session: Session) -> int:
    """Return the id of the visitor's cart, making one if needed."""
    found = find_cart(shop, session)
    if found is not None:
        return found
    with shop.db.transaction():
        return shop.db.execute(
            "INSERT INTO carts (session_token, updated_at) VALUES (?, ?)",
            (session.token, shop.now()),
        )


def lines_of(shop: Shop, cart_id: int) -> list[Line]:
    """Return what is in a cart."""
    rows = shop.db.rows(
        "SELECT p.id, p.name, p.slug, ci.quantity, p.price_cents FROM cart_items ci"
        " JOIN products p ON p.id = ci.product_id WHERE ci.cart_id = ? ORDER BY ci.id",
        (cart_id,),
    )
    return [
        Line(product_id=row[0], name=row[1], slug=row[2], quantity=row[3], price_cents=row[4])
        for row in rows
    ]


def add_to_cart(shop: Shop, cart_id: int, *, product_id: int, quantity: int) -> None:
    """Put more of a product into a cart."""
    with shop.db.transaction():
        shop.db.execute(
            "INSERT INTO cart_items (cart_id, product_id, quantity) VALUES (?, ?, ?)"
            " ON CONFLICT (cart_id, product_id) DO UPDATE SET quantity = quantity + ?",
            (cart_id, product_id, quantity, quantity),
        )
        shop.db.execute("UPDATE carts SET updated_at = ? WHERE id = ?", (shop.now(), cart_id))


def set_quantity(shop: Shop, cart_id: int, *, product_id: int, quantity: int) -> None:
    """Change how much of a product is in a cart; 0 takes it out."""
    with shop.db.transaction():
        if quantity > 0:
            shop.db.execute(
                "UPDATE cart_items SET quantity = ? WHERE cart_id = ? AND product_id = ?",
                (quantity, cart_id, product_id),
            )
        else:
            shop.db.execute(
                "DELETE FROM cart_items WHERE cart_id = ? AND product_id = ?",
                (cart_id, product_id),
            )
        shop.db.execute("UPDATE carts SET updated_at = ? WHERE id = ?", (shop.now(), cart_id))


def hand_over(shop: Shop, cart_id: int, *, to: Session) -> None:
    """Give a cart to the session that follows a login."""
    with shop.db.transaction():
        shop.db.execute("UPDATE carts SET session_token = ? WHERE id = ?", (to.token, cart_id))
