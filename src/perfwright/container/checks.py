"""What a setting may be, refused by the name that it has in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from urllib.parse import urlsplit

from perfwright.core import ConfigError, password_of

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def positive(value: float | None, *, field: str) -> None:
    """Refuse a number that is not above 0, or not finite; None is not set.

    Raises:
        ConfigError: If it is such a number.
    """
    if value is not None and not 0 < value < inf:
        raise ConfigError(field=field, value=value, problem="must be above 0, and finite")


def at_least_one(value: int | None, *, field: str, instead: str = "leave it out") -> None:
    """Refuse a count below 1; None is not set.

    Raises:
        ConfigError: If it is below.
    """
    if value is not None and value < 1:
        raise ConfigError(field=field, value=value, problem=f"must be 1 or more, or {instead}")


def only_with(*, given: object, needed: object, field: str, needs: str) -> None:
    """Refuse a setting that does nothing without another one.

    Raises:
        ConfigError: If the other one is missing.
    """
    if given is not None and needed is None:
        problem = f"does nothing without {needs}; set that, or take it out"
        raise ConfigError(field=field, value=given, problem=problem)


def some_models(models: Sequence[str] | None, *, field: str) -> None:
    """Refuse a list without any model, which would let nothing through.

    Raises:
        ConfigError: If it is empty.
    """
    if models is not None and not all((models, *models)):
        problem = "must name a model at least; take it out to allow all"
        raise ConfigError(field=field, value=list(models), problem=problem)


def readable_name(name: str, *, field: str) -> None:
    """Refuse a name that nobody can read in errors and statistics.

    Raises:
        ConfigError: If it is empty, or holds what cannot be printed.
    """
    if not name.strip() or not name.isprintable():
        problem = "must be a name of printable characters, on one line"
        raise ConfigError(field=field, value=name, problem=problem)


def http_url(
    url: str,
    *,
    field: str,
    instead: str = "name api_key_env",
    example: str = "https://api.openai.com/v1",
) -> None:
    """Refuse what no HTTP request can be sent to.

    Args:
        url: Of a server.
        field: What it is called in the file.
        instead: Where a password is to be.
        example: Of a URL.

    Raises:
        ConfigError: If it has another scheme, no host, no possible port, or a password.
    """
    if password_of(url) is not None:
        raise ConfigError(field=field, value="***", problem=f"holds a password; {instead}")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        problem = f"must be an HTTP URL, such as {example}"
        raise ConfigError(field=field, value=url, problem=problem)


def redis_database(url: str, *, field: str) -> None:
    """Refuse a Redis URL whose database is no number: the client would take database 0 for it.

    Raises:
        ConfigError: If it is none; the URL, which may hold a password, is not shown.
    """
    try:
        parts = urlsplit(url)
        usable = parts.port != 0 and (parts.scheme == "unix" or _is_number(parts.path.strip("/")))
    except ValueError:
        usable = False
    if not usable:
        problem = "must be a URL such as redis://host:6379/0, with the number of a database"
        raise ConfigError(field=field, value="***", problem=problem)


def proxies(environment: Mapping[str, str]) -> None:
    """Refuse a proxy whose port is none, before each call fails of it.

    Raises:
        ConfigError: If a variable names one; its value, which may hold a password, is not shown.
    """
    for name, value in environment.items():
        if name.lower() in _PROXIES and value:
            try:
                port = urlsplit(value if "://" in value else f"//{value}").port
            except ValueError:
                port = 0
            if port == 0:
                problem = "must be the URL of a proxy, such as http://proxy.example:3128"
                raise ConfigError(field=name, value="***", problem=problem)


def _is_number(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit())
