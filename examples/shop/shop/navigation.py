"""The menu."""

from collections.abc import Sequence
from dataclasses import dataclass

from shop.catalogue import Category


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuEntry:
    """A department and its categories."""

    department: Category
    categories: tuple[Category, ...]


def build_menu(categories: Sequence[Category]) -> list[MenuEntry]:
    """Group the categories by department."""
    return [
        MenuEntry(
            department=department,
            categories=tuple(c for c in categories if c.parent_id == department.id),
        )
        for department in categories
        if department.parent_id is None
    ]
