"""Packages whose names are fetched on first use, so that a program pays for what it touches."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def fetch_from(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package.

    Args:
        package: Its full name.
        homes: Each public name with the module or package below, as `metrics`, that has it.
    """

    def fetch(name: str) -> Any:  # a module attribute may be of any type
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{home}"), name)

    return fetch
