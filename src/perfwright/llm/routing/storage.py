"""A router's file: magic, version and checksum, then MessagePack, compressed."""

from __future__ import annotations

import hashlib
import os
import sys
import zlib
from array import array
from pathlib import Path
from typing import TypeVar

import msgspec

from perfwright.core import ConfigError
from perfwright.llm.routing.gain import GainModel
from perfwright.llm.routing.landmarks import Landmarks
from perfwright.llm.routing.neighbours import Neighbours, Posting
from perfwright.llm.routing.verdict import Verdict

_MAGIC = b"PWROUTER"
_VERSION = 1
_DIGEST_BYTES = 32
_HEAD_BYTES = len(_MAGIC) + 1 + _DIGEST_BYTES


Numbers = TypeVar("Numbers", "array[int]", "array[float]")


class StoredRouter(msgspec.Struct):
    """Everything of a router."""

    weak: str
    strong: str
    verdict: Verdict
    mean: float
    values: list[float]
    postings: dict[str, tuple[float, bytes, bytes]]
    """Rarity, places and weights of each term; numbers are little-endian."""
    means: list[float]
    spreads: list[float]
    landmarks: list[list[float]]
    weights: list[float]

    def model(self) -> GainModel:
        """Build the model."""
        postings = {
            term: Posting(rarity, _native(array("I", places)), _native(array("f", weights)))
            for term, (rarity, places, weights) in self.postings.items()
        }
        form = Landmarks(
            means=self.means, spreads=self.spreads, landmarks=self.landmarks, weights=self.weights
        )
        return GainModel(mean=self.mean, words=Neighbours(postings, self.values), form=form)


def write(path: Path, *, weak: str, strong: str, model: GainModel, verdict: Verdict) -> None:
    """Replace the file at `path` in one step.

    Raises:
        OSError: If it cannot be written; what was there is then still there.
    """
    body = zlib.compress(
        msgspec.msgpack.encode(_stored(weak, strong, model=model, verdict=verdict))
    )
    head = _MAGIC + bytes([_VERSION]) + hashlib.sha256(body).digest()
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_bytes(head + body)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read(path: Path) -> StoredRouter:
    """Read a router's file.

    Raises:
        ConfigError: If it is none, is damaged, or is of another version.
        OSError: If it cannot be read.
    """
    content = path.read_bytes()
    if not content.startswith(_MAGIC):
        raise _unusable(path, "is no router's file; name the one that Router.save wrote")
    version = content[len(_MAGIC)] if len(content) > len(_MAGIC) else None
    if version not in (None, _VERSION):
        raise _unusable(path, f"has version {version}, not {_VERSION}; train the router again")
    body = content[_HEAD_BYTES:]
    if content[_HEAD_BYTES - _DIGEST_BYTES : _HEAD_BYTES] != hashlib.sha256(body).digest():
        raise _unusable(path, "is damaged or cut; train the router again, or restore the file")
    try:
        return msgspec.msgpack.decode(zlib.decompress(body), type=StoredRouter)
    except (msgspec.DecodeError, zlib.error) as error:
        raise _unusable(path, f"cannot be decoded ({error}); train the router again") from error


def _stored(weak: str, strong: str, *, model: GainModel, verdict: Verdict) -> StoredRouter:
    words, form = model.words, model.form
    return StoredRouter(
        weak=weak,
        strong=strong,
        verdict=verdict,
        mean=model.mean,
        values=list(words.values),
        postings={
            term: (posting.rarity, _bytes(posting.places), _bytes(posting.weights))
            for term, posting in words.postings.items()
        },
        means=form.means,
        spreads=form.spreads,
        landmarks=form.landmarks,
        weights=form.weights,
    )


def _bytes(numbers: Numbers) -> bytes:
    return _native(numbers[:]).tobytes()


def _native(numbers: Numbers) -> Numbers:
    """Turn little-endian numbers into the machine's, or back, in place."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _unusable(path: Path, problem: str) -> ConfigError:
    return ConfigError(field="router", value=str(path), problem=problem)
