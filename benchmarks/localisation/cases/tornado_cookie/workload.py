"""Cookies of clients that quote their values, among ordinary ones."""

from __future__ import annotations

from tornado.httputil import HTTPHeaders, parse_cookie

ORDINARY = "theme=dark; session=2|1:0|10:1700000000|4:user|12:MTIzNDU2; lang=en-GB; seen=a.b.c"


def quoted(size: int) -> str:
    return 'note="' + '\\"' * size + '"'


def request(number: int) -> HTTPHeaders:
    cookie = quoted(6_000) if number % 40 == 7 else ORDINARY
    return HTTPHeaders(
        {"Host": "localhost", "Cookie": cookie, "Accept": "*/*", "X-Number": str(number)}
    )


def handle(headers: HTTPHeaders) -> list[tuple[str, int]]:
    cookies = parse_cookie(headers["Cookie"])
    return sorted((name, len(value)) for name, value in cookies.items())


def run() -> object:
    return [handle(request(number)) for number in range(600)]
