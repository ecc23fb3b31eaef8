"""Publishes the files of a site."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from bucket import Bucket
from exclusive import Exclusive, exclusive


@dataclass(frozen=True)
class Asset:
    name: str
    packed: bytes


class Publisher(Exclusive):
    def __init__(self, bucket: Bucket) -> None:
        super().__init__()
        self.bucket = bucket
        self.sent: dict[str, str] = {}
        self.sizes: dict[str, tuple[int, int]] = {}

    @exclusive
    def measured(self, name: str, before: int, after: int) -> None:
        self.sizes[name] = before, after

    @exclusive
    def known(self, name: str) -> bool:
        return name in self.sent

    @exclusive
    def send(self, asset: Asset) -> str:
        receipt = self.bucket.put(asset.name, asset.packed)
        self.sent[asset.name] = receipt
        return receipt

    def prepare(self, name: str, text: str) -> Asset:
        smaller = re.sub(r"/\*.*?\*/|\s+(?=[{};])|(?<=[{};:])\s+", "", text, flags=re.DOTALL)
        packed = zlib.compress(smaller.encode(), 6)
        self.measured(name, len(text), len(packed))
        return Asset(name, packed)

    def publish(self, name: str, text: str) -> str:
        return "" if self.known(name) else self.send(self.prepare(name, text))
