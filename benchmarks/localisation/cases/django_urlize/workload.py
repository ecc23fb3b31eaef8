"""Shows what users write, with links."""

from __future__ import annotations

from django.utils.html import escape, urlize


def show(text: str) -> str:
    return f"<p>{urlize(text)}</p><footer>{escape(text[:40])}</footer>"


def run() -> object:
    posts = [
        f"See www.example.com/{number}, or (http://example.org/page?a={number})."
        for number in range(4_000)
    ]
    posts += ["look at example.com" + ".;" * 75_000 for _ in range(2)]
    return [show(post)[:200] for post in posts]
