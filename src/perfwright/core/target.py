"""Targets: what a user may point perfwright at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit

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
        return f"sqlite:///{self.location}" if self.kind is TargetKind.SQLITE else self.location


def parse_target(text: str) -> Target:
    """Recognise a target by its form and, for files, by its content.

    Raises:
        UnknownTargetError: If nothing like it exists.
        UnreadableTargetError: If it exists but is no SQLite database, or cannot be opened.
    """
    scheme = urlsplit(text).scheme if "://" in text else ""
    if scheme in ("sqlite", "sqlite3"):
        return _sqlite_file(Path(unquote(text.split("://", 1)[1].removeprefix("/"))), text)
    if scheme in ("postgresql", "postgres"):
        return Target(kind=TargetKind.POSTGRESQL, location=_without_password(text))
    if scheme in ("http", "https"):
        return Target(kind=TargetKind.URL, location=_without_password(text))
    if scheme:
        raise UnknownTargetError(
            target=text,
            problem=f"targets of the kind {scheme}:// are not known",
            remedy="use sqlite:///FILE, postgresql://..., a URL, or a path",
        )
    path = Path(text)
    if path.is_dir():
        return Target(kind=TargetKind.FOLDER, location=str(path))
    return _sqlite_file(path, text)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")).geturl()


def _sqlite_file(path: Path, text: str) -> Target:
    if not path.exists():
        raise UnknownTargetError(
            target=text, problem="there is no such file", remedy="check the path"
        )
    try:
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
            remedy="give a SQLite file, a database URL or a folder",
        )
    return Target(kind=TargetKind.SQLITE, location=str(path))
