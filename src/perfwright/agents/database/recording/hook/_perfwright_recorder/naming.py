"""Which database a connection is of."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_URI = 7  # place of the argument


def name_database(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return the absolute path, or a name with colons for what has none.

    Args:
        args: What `sqlite3.connect` was given by place.
        kwargs: What it was given by name.
    """
    name = os.fsdecode(args[0] if args else kwargs["database"])
    is_uri = args[_URI] if len(args) > _URI else kwargs.get("uri", False)
    if is_uri and name.startswith("file:"):
        name = _path_of(name)
    if name == ":memory:":
        return name
    return os.path.realpath(name) if name else ":temporary:"


def _path_of(uri: str) -> str:
    from urllib.parse import unquote

    path, _, query = uri[len("file:") :].partition("#")[0].partition("?")
    if "mode=memory" in query.split("&"):
        return ":memory:"
    if path.startswith("//"):
        path = "/" + path[2:].partition("/")[2]
    return unquote(path)
