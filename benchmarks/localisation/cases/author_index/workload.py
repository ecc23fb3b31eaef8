"""The shelves of a library."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from books import BookList, shelf
from store_client import StoreClient


def run() -> object:
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("store_server.py"))],
        stdout=subprocess.PIPE,
        text=True,
    )
    store = StoreClient(int(server.stdout.readline()))
    try:
        books = BookList(store)
        digest = hashlib.sha256(
            "".join(books.render(shelf(number, 90)) for number in range(1_000)).encode()
        )
    finally:
        store.close()
        server.wait(timeout=10)
    return digest.hexdigest()
