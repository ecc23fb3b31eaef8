"""Walks the modules of a packaged application."""

from __future__ import annotations

import io
import zipfile

import zipp


def archive(modules: int) -> zipfile.ZipFile:
    store = io.BytesIO()
    with zipfile.ZipFile(store, "w") as file:
        for number in range(modules):
            file.writestr(f"app/part{number % 40}/module{number}.py", f"NUMBER = {number}\n" * 5)
    store.seek(0)
    return zipfile.ZipFile(store)


def walk(path: zipp.Path) -> int:
    found = 0
    for child in path.iterdir():
        found += walk(child) if child.is_dir() else len(child.name)
    return found


def run() -> object:
    return walk(zipp.Path(archive(6_400)))
