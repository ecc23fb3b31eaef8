"""Reads the resources of a packaged application."""

from __future__ import annotations

import io
import zipfile

import zipp


def archive(resources: int) -> zipfile.ZipFile:
    store = io.BytesIO()
    with zipfile.ZipFile(store, "w") as file:
        file.writestr("app/", "")
        for folder in range(20):
            file.writestr(f"app/part{folder}/", "")
        for number in range(resources):
            file.writestr(f"app/part{number % 20}/{number}.txt", f"text {number} " * 20)
    store.seek(0)
    return zipfile.ZipFile(store)


def load(root: zipp.Path, number: int) -> int:
    path = root.joinpath(f"app/part{number % 20}").joinpath(f"{number}.txt")
    return len(path.read_text()) if path.exists() else 0


def run() -> object:
    root = zipp.Path(archive(420))
    return [load(root, number) for number in range(420)]
