"""Uploads with file names of every sort."""

from __future__ import annotations

from tornado.httputil import HTTPFile, parse_multipart_form_data


def upload(name: str) -> bytes:
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/plain\r\n\r\n'
    return b"--frontier\r\n" + head.encode() + b"some text\r\n--frontier--\r\n"


def receive(body: bytes) -> list[tuple[str, int]]:
    fields: dict[str, list[bytes]] = {}
    files: dict[str, list[HTTPFile]] = {}
    parse_multipart_form_data(b"frontier", body, fields, files)
    return [(name, len(file["filename"])) for name, some in files.items() for file in some]


def run() -> object:
    results = [receive(upload(f"report {number}.txt")) for number in range(1_500)]
    results += [receive(upload(";" * 32_000 + "x")) for _ in range(2)]
    return results
