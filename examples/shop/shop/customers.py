"""Customers: finding them, and their logins."""

from dataclasses import dataclass

from shop.database import Connection
from shop.passwords import verify_password


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A customer, or a member of the staff."""

    id: int
    email: str
    first_name: str
    last_name: str
    is_staff: bool


def find_customer(db: Connection, customer_id: int) -> Customer | None:
    """Return a customer."""
    row = db.row("SELECT * FROM customers WHERE id = ?", (customer_id,))
    return _customer(row) if row else None


def log_in(db: Connection, *, email: str, password: str) -> Customer | None:
    """Return the customer with this address, whatever its case, if the password is right."""
    row = db.row("SELECT * FROM customers WHERE lower(email) = ?", (email.strip().lower(),))
    if row is None or not verify_password(password, stored=row[2]):
        return None
    return _customer(row)


def by_last_name(db: Connection, start: str) -> list[Customer]:
    """Return the customers whose last name begins like this."""
    rows = db.rows(
        "SELECT * FROM customers WHERE last_name LIKE ?"
        " ORDER BY last_name, first_name, id LIMIT 30",
        (f"{start}%",),
    )
    return [_customer(row) for row in rows]


def addresses_of(db: Connection, customer_id: int) -> list[str]:
    """Return a customer's addresses, each in one line."""
    rows = db.rows(
        "SELECT street, postcode, city, country FROM addresses WHERE customer_id = ?",
        (customer_id,),
    )
    return [f"{row[0]}, {row[1]} {row[2]}, {row[3]}" for row in rows]


def _customer(row: tuple) -> Customer:  # type: ignore[type-arg]  # a row of the database
    return Customer(
        id=row[0], email=row[1], first_name=row[3], last_name=row[4], is_staff=bool(row[5])
    )
