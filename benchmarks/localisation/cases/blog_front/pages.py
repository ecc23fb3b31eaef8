"""The pages of the magazine."""

from __future__ import annotations

import re
from html import escape

from mapper import Session
from models import Picture, Post


def newest(session: Session, until: int) -> list[Post]:
    return session.select(Post, "published <= ? ORDER BY published DESC LIMIT 60", until)


def teaser(body: str, length: int = 90) -> str:
    short = re.split(r"(?<=[.!?])\s+", body)
    text = ""
    for sentence in short:
        if len(text) + len(sentence) > length:
            break
        text += sentence + " "
    return escape(text.strip())


def image(cover: Picture, width: int = 320) -> str:
    height = cover.height * width // cover.width
    return f'<img src="/{cover.file}" width="{width}" height="{height}">'


def card(post: Post) -> str:
    return (
        f'<article style="border-color: {post.section.colour}">{image(post.cover)}'
        f"<h2>{escape(post.title)}</h2><p>{teaser(post.body)}</p>"
        f"<footer>{escape(post.author.name)} in {escape(post.section.title)}</footer></article>"
    )


def front(session: Session, until: int) -> str:
    return "\n".join(("<main>", *map(card, newest(session, until)), "</main>"))
