"""A web application of several workers is scraped."""

from __future__ import annotations

import tempfile
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

ROUTES = [f"/api/v1/{noun}/{verb}" for noun in "abcdefgh" for verb in ("list", "show", "edit")]
CODES = ("200", "302", "404", "500")
TENANTS = ("north", "south", "east")


def worker(folder: Path, number: int) -> None:
    values = MmapedDict(str(folder / f"counter_{number}.db"))
    for route in ROUTES:
        for code in CODES:
            for tenant in TENANTS:
                labels = ("route", "code", "tenant"), (route, code, tenant)
                key = mmap_key("requests_total", "requests_total", *labels)
                values.write_value(key, float(number + len(route)))
    values.close()


def scrape(folder: Path) -> list[str]:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    text = generate_latest(registry).decode()
    return sorted(line for line in text.splitlines() if not line.startswith("#"))


def run() -> object:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(16):
            worker(folder, number)
        pages = [scrape(folder) for _ in range(60)]
    return len(pages), pages[0]
