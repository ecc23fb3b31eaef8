"""Normalises the links of a sitemap."""

from __future__ import annotations

from urllib3.util.url import parse_url


def links() -> list[str]:
    found = [
        f"https://www.example.com/caf%c3%a9/{number}?name=%c3%bcber" for number in range(1_500)
    ]
    found += ["https://www.example.com/" + "%e2%82%ac" * 5_500 for _ in range(2)]
    return found


def normal(link: str) -> str:
    return parse_url(link).url


def run() -> object:
    return [len(normal(link)) for link in links()]
