"""Sorts the links of a crawl by host."""

from __future__ import annotations

from collections import Counter

from urllib3.exceptions import LocationParseError
from urllib3.util.url import parse_url


def links() -> list[str]:
    found = [
        f"https://user:secret@www{number % 90}.example.com:8080/path/{number}?q={number}#top"
        for number in range(6_000)
    ]
    found += [f"https://{'@' * (6_000 + number)}100%/" for number in range(2)]
    return found


def host_of(link: str) -> str:
    try:
        url = parse_url(link)
    except LocationParseError:
        return "no link"
    return f"{url.scheme}://{url.host}:{url.port or 443}"


def run() -> object:
    return sorted(Counter(map(host_of, links())).items())
