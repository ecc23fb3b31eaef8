"""What a magazine is made of."""

from __future__ import annotations

import random
import sqlite3

from mapper import One, Table

SCHEMA = """
CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT, mail TEXT, about TEXT);
CREATE TABLE section (id INTEGER PRIMARY KEY, title TEXT, colour TEXT);
CREATE TABLE post (id INTEGER PRIMARY KEY, title TEXT, body TEXT, published INTEGER,
    author_id INTEGER, section_id INTEGER, cover_id INTEGER);
CREATE TABLE picture (id INTEGER PRIMARY KEY, file TEXT, width INTEGER, height INTEGER);
CREATE INDEX by_day ON post (published);
"""


class Author(Table):
    name: str


class Section(Table):
    title: str


class Picture(Table):
    file: str
    width: int
    height: int


class Post(Table):
    author = One("author")
    section = One("section")
    cover = One("picture")


def database(posts: int) -> sqlite3.Connection:
    rng, connection = random.Random(40), sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    authors = [(n, f"Author & {n}", f"a{n}@example.org", "…" * 200) for n in range(24)]
    connection.executemany("INSERT INTO author VALUES (?,?,?,?)", authors)
    sections = [(n, f"Section <{n}>", f"#{n * 4321 % 0xFFFFFF:06x}") for n in range(12)]
    connection.executemany("INSERT INTO section VALUES (?,?,?)", sections)
    pictures = [(n, f"p/{n:04}.webp", 640 + n % 5 * 160, 480) for n in range(70)]
    connection.executemany("INSERT INTO picture VALUES (?,?,?,?)", pictures)
    connection.executemany(
        "INSERT INTO post VALUES (?,?,?,?,?,?,?)",
        [
            (
                n,
                f"Post {n}",
                "Some words. " * 9,
                n * 7,
                rng.randrange(24),
                rng.randrange(12),
                rng.randrange(70),
            )
            for n in range(posts)
        ],
    )
    return connection
