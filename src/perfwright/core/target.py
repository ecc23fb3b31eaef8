"""Targets: what a user may point perfwright at."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, unquote_to_bytes, urlencode, urlsplit

from perfwright.core.errors import UnknownTargetError, UnreadableTargetError

SQLITE_MAGIC = b"SQLite format 3\x00"


class TargetKind(StrEnum):
    """What a target is; each kind belongs to the agents that can look at it."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    URL = "url"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A running system, or the part of it that one agent looks at."""

    kind: TargetKind
    location: str
    """A path for files and folders, else the URL without its password."""

    @property
    def path(self) -> Path:
        """The location of a file target."""
        return Path(self.location)

    def __str__(self) -> str:
        """How the target is named in reports."""
        if self.kind is TargetKind.SQLITE:
            return "sqlite:///" + self.location.replace("%", "%25")  # read back as a URL
        return self.location


def parse_target(text: str) -> Target:
    """Recognise a target by its form and, for files, by its content.

    Raises:
        UnknownTargetError: If nothing like it exists.
        UnreadableTargetError: If it exists but is no SQLite database, or cannot be opened.
    """
    scheme = _scheme(text)
    if scheme in ("sqlite", "sqlite3"):
        return _sqlite_file(Path(_unquoted(text.split("://", 1)[1].removeprefix("/"))), text)
    if scheme in ("postgresql", "postgres"):
        return Target(kind=TargetKind.POSTGRESQL, location=without_password(text))
    if scheme in ("http", "https"):
        return Target(kind=TargetKind.URL, location=without_password(text))
    if scheme:
        raise UnknownTargetError(
            target=without_password(text),
            problem=f"targets of the kind {scheme}:// are not known",
            remedy="use sqlite:///FILE, postgresql://..., a URL, or a path",
        )
    path = Path(text)
    try:
        is_folder = path.is_dir()
    except OSError:  # such as a name that is too long: opening it will say so
        is_folder = False
    if is_folder:
        return Target(kind=TargetKind.FOLDER, location=str(path))
    return _sqlite_file(path, text)


def _unquoted(text: str) -> str:
    """Undo percent signs as the file system would spell the name, UTF-8 or not."""
    return os.fsdecode(unquote_to_bytes(os.fsencode(text)))


def _scheme(text: str) -> str:
    if "://" not in text:
        return ""
    try:
        return urlsplit(text).scheme
    except ValueError as error:
        raise UnknownTargetError(
            target=text.rpartition("@")[2],
            problem=f"is no URL ({error})",
            remedy="check its host and port",
        ) from None


_SECRETS = ("password", "sslpassword")
"""Parameters of a PostgreSQL URL that hold a password."""


def without_password(url: str) -> str:
    """Replace the password of a URL by `***`."""
    parts = urlsplit(url)
    if parts.password is not None:
        parts = parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@"))
    query = parse_qsl(parts.query, keep_blank_values=True)
    if any(key in _SECRETS for key, _ in query):
        masked = [(key, "***" if key in _SECRETS else value) for key, value in query]
        parts = parts._replace(query=urlencode(masked, safe="*"))
    return join_url(parts) if parts != urlsplit(url) else url


def join_url(parts: SplitResult) -> str:
    """Put a URL together; `geturl` would drop the slashes before the host that a URL leaves out."""
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{query}{fragment}"


def _sqlite_file(path: Path, text: str) -> Target:
    try:
        if not path.exists():
            raise UnknownTargetError(
                target=text, problem="there is no such file", remedy=_remedy(text, "check the path")
            )
        if not path.is_file():  # reading a pipe would wait for ever
            raise UnreadableTargetError(
                target=text, problem="is not a file", remedy="give a SQLite file"
            )
        with path.open("rb") as file:
            magic = file.read(len(SQLITE_MAGIC))
    except OSError as error:
        raise UnreadableTargetError(
            target=text,
            problem=f"cannot be read ({error.strerror or error})",
            remedy="check its permissions",
        ) from error
    if magic != SQLITE_MAGIC:
        raise UnreadableTargetError(
            target=text,
            problem="is empty" if not magic else "is not a SQLite database",
            remedy=_remedy(text, "give a SQLite file, a database URL or a folder"),
        )
    return Target(kind=TargetKind.SQLITE, location=str(path))


def _remedy(text: str, usual: str) -> str:
    """Say how to profile Python programs and processes, which are no targets of a run yet."""
    if text.isdecimal():
        return f"{usual}; to profile a process: python -m perfwright.profiling --pid {text}"
    if text.endswith((".py", ".pyz")):
        return f"to profile a Python program: python -m perfwright.profiling {text}"
    return usual


def password_of(url: str) -> str | None:
    """The password that a URL holds before its host; None without one."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return None
    return unquote(password) if password else None


@lru_cache(maxsize=256)  # asked for each request of a gateway without keys
def is_loopback(host: str) -> bool:
    """Tell a name or address of this machine alone; an empty host means every interface."""
    import ipaddress  # here: few programs that use the core ask

    host = host.strip("[]").partition("%")[0].lower().removesuffix(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
