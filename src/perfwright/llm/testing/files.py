"""OpenAI's `/files`: what deferred batches read from and write to."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes
from typing import Any

import msgspec

from perfwright.core import Clock
from perfwright.llm.testing.bodies import Malformed
from perfwright.llm.testing.connections import HttpRequest

Response = tuple[int, bytes]
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that was uploaded, or written by a batch."""

    id: str
    name: str
    purpose: str
    content: bytes
    created: int

    def facts(self) -> dict[str, Any]:
        """Return what the provider says of it."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
        }


class Files:
    """The files, by identifier."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._by_id: dict[str, File] = {}
        self._serial = 0

    def get(self, name: str) -> File | None:
        """Return a file, if there is one."""
        return self._by_id.get(name)

    def keep(self, name: str, content: bytes, *, purpose: str) -> File:
        """Store a file."""
        self._serial += 1
        created = int(self._clock.today().timestamp())
        file = File(
            id=f"file-{self._serial:08x}",
            name=name,
            purpose=purpose,
            content=content,
            created=created,
        )
        self._by_id[file.id] = file
        return file

    def handle(self, request: HttpRequest, path: list[str]) -> Response | None:
        """Answer a request; `path` is what follows `/files`."""
        match request.method, path:
            case "POST", []:
                return self._upload(request)
            case "GET", []:
                data = [file.facts() for file in self._by_id.values()]
                return 200, _encode({"object": "list", "data": data, "has_more": False})
            case "GET", [name] if file := self.get(name):
                return 200, _encode(file.facts())
            case "GET", [name, "content"] if file := self.get(name):
                return 200, file.content
            case "DELETE", [name] if self._by_id.pop(name, None):
                return 200, _encode({"id": name, "object": "file", "deleted": True})
            case _:
                return None

    def _upload(self, request: HttpRequest) -> Response:
        parts = _form(request)
        if "file" not in parts:
            raise Malformed("it is a required part of the form", field="file")
        name, content = parts["file"]
        purpose = parts.get("purpose", ("", b""))[1].decode(errors="replace")
        return 200, _encode(self.keep(name, content, purpose=purpose).facts())


def _form(request: HttpRequest) -> dict[str, tuple[str, bytes]]:
    """Read multipart/form-data: each part's file name and content by its field."""
    kind = request.headers.get("content-type", "")
    message = message_from_bytes(f"content-type: {kind}\r\n\r\n".encode() + request.body)
    parts = {}
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            parts[name] = part.get_filename() or "", content
    return parts
