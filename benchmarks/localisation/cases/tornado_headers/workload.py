"""Headers as proxies and crawlers send them."""

from __future__ import annotations

from tornado.httputil import HTTPHeaders


def block(repeats: int) -> str:
    lines = ["Host: localhost", "Accept: text/html", "User-Agent: test/1.0"]
    lines += [
        f"X-Forwarded-For: 10.{number >> 8 & 255}.{number & 255}.1" for number in range(repeats)
    ]
    return "\r\n".join(lines) + "\r\n"


def handle(text: str) -> tuple[int, int]:
    headers = HTTPHeaders.parse(text)
    chain = headers["X-Forwarded-For"]
    return len(chain), len(headers.get_list("x-forwarded-for"))


def run() -> object:
    ordinary = block(3)
    results = [handle(ordinary) for _ in range(6_000)]
    results += [handle(block(34_000)) for _ in range(4)]
    return results
