"""Values on their way to a shared tier and back: types, damage, bombs, compression."""

from __future__ import annotations

import struct
import sys
import zlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.cache import MsgpackSerializer, PickleSerializer, Serializer
from perfwright.cache.compression import CodecName, choose_codec
from perfwright.cache.envelope import (
    Damage,
    DamagedError,
    Envelope,
    grace_s_of,
    write_id_of,
)
from perfwright.core import ConfigError, MissingExtraError, UncacheableValueError

CODECS = pytest.mark.parametrize("codec", ["zstd", "lz4", "zlib"])


class Colour(Enum):
    RED = 1


@dataclass(frozen=True)
class Point:
    at: tuple[int, int]
    when: datetime | None = None
    derived: int = field(init=False, default=7)


class Record(msgspec.Struct, frozen=True):
    name: str
    points: list[Point]


@dataclass
class Stranger:
    name: str


def envelope(
    codec: CodecName = "zlib", *, serializer: Serializer | None = None, most: int = 10**6
) -> Envelope:
    return Envelope(
        serializer=serializer or MsgpackSerializer(),
        codec=choose_codec(codec),
        threshold_bytes=100,
        max_value_bytes=most,
    )


def packed(value: object, codec: CodecName = "zlib") -> bytes:
    return envelope(codec).pack(value, grace_s=1.5, cost_s=0.25, tag_versions={"x": b"v"}).blob


def damage_of(blob: bytes, **options: Any) -> Damage:
    with pytest.raises(DamagedError) as caught:
        envelope(**options).unpack(blob)
    return caught.value.damage


def resealed(blob: bytes, *, at: int, new: bytes) -> bytes:
    """Change bytes of the header and give it a checksum that fits."""
    start = struct.calcsize(">2sBBIBIIH8s")
    head = blob[:at] + new + blob[at + len(new) : start]
    rest = blob[start + 4 :]
    return head + zlib.crc32(rest, zlib.crc32(head)).to_bytes(4, "big") + rest


_atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.datetimes(),
    st.datetimes(
        timezones=st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), timezone(timedelta(hours=-7))])
    ),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.complex_numbers(allow_nan=False),
)
_hashables = st.recursive(
    _atoms, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=5
)
_values = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(_hashables, inner, max_size=4),
        st.sets(_hashables, max_size=4),
        st.frozensets(_hashables, max_size=4),
    ),
    max_leaves=15,
)


@given(_values)
def test_what_comes_back_equals_what_went_in_with_its_type(value: object) -> None:
    unpacked = envelope().unpack(packed(value))
    assert_same(unpacked.value, value)


def assert_same(got: Any, expected: Any) -> None:
    """Equal, and of equal types all the way down."""
    assert type(got) is type(expected)
    assert got == expected
    if isinstance(expected, list | tuple):
        for inner_got, inner_expected in zip(got, expected, strict=True):
            assert_same(inner_got, inner_expected)
    if isinstance(expected, dict):
        for inner_got, inner_expected in zip(got.items(), expected.items(), strict=True):
            assert_same(inner_got, inner_expected)


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        time(2, 30, fold=1),
        bytearray(b"x"),
        2**64,
        -(2**63) - 1,
        date.max,
        Decimal("1.10"),
        UUID(int=7),
    ],
)
def test_corners_of_types(value: Any) -> None:
    got: Any = envelope().unpack(packed(value)).value
    assert_same(got, value)
    assert getattr(got, "fold", 0) == getattr(value, "fold", 0)


def test_registered_classes_come_back() -> None:
    serializer = MsgpackSerializer(classes=[Point, Record, Colour])
    value = {Colour.RED: Record("a", [Point((1, 2), datetime(2026, 1, 1, tzinfo=UTC))])}
    assert serializer.loads(serializer.dumps(value)) == value


@pytest.mark.parametrize(
    "value", [Stranger("x"), object(), Colour.RED, {"deep": [Stranger("x")]}, 1j.conjugate]
)
def test_what_would_come_back_changed_is_refused(value: object) -> None:
    with pytest.raises(UncacheableValueError, match=r"register its class|plain data"):
        MsgpackSerializer().dumps(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(UncacheableValueError, match="nested"):
        MsgpackSerializer().dumps(value)


def test_a_class_of_another_program_is_a_miss() -> None:
    blob = envelope(serializer=MsgpackSerializer([Point])).pack(
        Point((1, 2)), grace_s=0, cost_s=0, tag_versions={}
    )
    assert damage_of(blob.blob) is Damage.CORRUPT


def test_only_classes_with_fields_can_be_registered() -> None:
    with pytest.raises(ConfigError, match="dataclasses"):
        MsgpackSerializer(classes=[dict])


def test_a_pickled_value_is_never_unpickled_by_the_default_serializer() -> None:
    blob = envelope(serializer=PickleSerializer()).pack(
        Stranger("x"), grace_s=0, cost_s=0, tag_versions={}
    )
    assert damage_of(blob.blob) is Damage.FOREIGN


def test_pickle_carries_anything_by_choice() -> None:
    serializer = PickleSerializer()
    assert serializer.loads(serializer.dumps(Stranger("x"))) == Stranger("x")


@CODECS
def test_compression_is_used_above_the_threshold_and_only_if_it_helps(codec: CodecName) -> None:
    small = envelope(codec).pack("x" * 50, grace_s=0, cost_s=0, tag_versions={})
    large = envelope(codec).pack("x" * 50_000, grace_s=0, cost_s=0, tag_versions={})
    noise = envelope(codec).pack(_NOISE, grace_s=0, cost_s=0, tag_versions={})
    assert [each.compressed for each in (small, large, noise)] == [False, True, False]
    assert len(large.blob) < 1_000
    for each, value in ((small, "x" * 50), (large, "x" * 50_000), (noise, _NOISE)):
        assert envelope("zlib").unpack(each.blob).value == value  # whatever this process writes


_NOISE = bytes((i * i * 2_654_435_761 >> 13) & 255 for i in range(2_000))


@CODECS
@given(data=st.data())
def test_any_changed_or_missing_byte_is_noticed(codec: CodecName, data: st.DataObject) -> None:
    blob = packed("abc" * 200, codec)
    place = data.draw(st.integers(0, len(blob) - 1))
    flipped = (
        blob[:place] + bytes([blob[place] ^ data.draw(st.integers(1, 255))]) + blob[place + 1 :]
    )
    assert damage_of(flipped) in {Damage.CORRUPT, Damage.FOREIGN, Damage.NEWER}
    assert damage_of(blob[:place]) in {Damage.CORRUPT, Damage.FOREIGN}


@given(st.binary(max_size=300))
def test_foreign_bytes_are_never_a_value(blob: bytes) -> None:
    assert damage_of(blob) in Damage
    assert damage_of(b"PW\x01" + blob) is Damage.CORRUPT


def test_a_later_version_is_told_from_damage() -> None:
    assert damage_of(resealed(packed("x"), at=2, new=b"\x02")) is Damage.NEWER


def test_an_unknown_codec_is_foreign() -> None:
    assert damage_of(resealed(packed("x" * 500), at=3, new=b"\x63")) is Damage.FOREIGN


@CODECS
def test_a_value_that_announces_too_much_is_not_decompressed(codec: CodecName) -> None:
    assert damage_of(packed("x" * 5_000, codec), most=1_000) is Damage.TOO_LARGE


@CODECS
def test_a_bomb_that_lies_about_its_size_makes_no_more_than_it_announced(codec: CodecName) -> None:
    bomb = packed(b"\0" * 900_000, codec)
    size_at = struct.calcsize(">2sBBIBI")
    assert damage_of(resealed(bomb, at=size_at, new=(1_000).to_bytes(4, "big"))) is Damage.CORRUPT


def test_deep_nesting_is_damage_and_no_crash() -> None:
    payload = b"\x91" * 100_000 + b"\xc0"
    plain = envelope("zlib").pack(b"", grace_s=0, cost_s=0, tag_versions={})
    head = bytearray(plain.blob[: struct.calcsize(">2sBBIBIIH8s")])
    size_at = struct.calcsize(">2sBBIBI")
    head[size_at : size_at + 4] = len(payload).to_bytes(4, "big")
    blob = bytes(head) + zlib.crc32(payload, zlib.crc32(head)).to_bytes(4, "big") + payload
    assert damage_of(blob) is Damage.CORRUPT


def test_header_fields_survive() -> None:
    blob = packed("x")
    unpacked = envelope().unpack(blob)
    assert (unpacked.cost_s, unpacked.tag_versions) == (0.25, {"x": b"v"})
    assert (grace_s_of(blob), write_id_of(blob)) == (1.5, unpacked.write_id)


def test_two_writes_of_one_value_are_told_apart() -> None:
    assert write_id_of(packed("x")) != write_id_of(packed("x"))


def test_an_unknown_compression_is_refused() -> None:
    with pytest.raises(ConfigError, match="brotli"):
        choose_codec("brotli")  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize("library", ["zstandard", "lz4"])
def test_a_missing_library_names_its_extra(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match="compression"):
        choose_codec("zstd" if library == "zstandard" else "lz4")
