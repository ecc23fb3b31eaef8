from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm.wire.http1 import CutOffError, MalformedError, ResponseParser

bodies = st.binary(max_size=300)


def gzip_in_parts(data: bytes) -> bytes:
    return b"".join(gzip.compress(data[start : start + 50]) for start in range(0, len(data), 50))


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: list[Callable[[bytes], bytes]] = [gzip.compress, zlib.compress, gzip_in_parts]


def parse(*parts: bytes, limit: int = 10_000) -> ResponseParser:
    parser = ResponseParser(max_body_bytes=limit)
    for part in parts:
        parser.feed(part)
    return parser


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(place for place in places if place < len(data))})
    return [data[start:end] for start, end in pairwise(ends)]


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return (
        b"".join(b"%X;x=1\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\nt: 1\r\n\r\n"
    )


@given(bodies, st.lists(st.integers(0, 500), max_size=6))
def test_a_body_of_known_length_is_read_however_it_is_cut(body: bytes, places: list[int]) -> None:
    data = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    parser = parse(*cut(data, places))
    assert (parser.is_done, parser.is_reusable, parser.take()) == (True, True, body)


@given(bodies, st.integers(1, 50), st.lists(st.integers(0, 900), max_size=6))
def test_a_chunked_body_is_read_however_it_is_cut(
    body: bytes, size: int, places: list[int]
) -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body, size)
    parser = parse(*cut(data, places))
    assert (parser.is_done, parser.is_reusable, parser.take()) == (True, True, body)


@given(bodies, st.integers(1, 40))
def test_a_chunked_body_is_read_byte_by_byte(body: bytes, size: int) -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body, size)
    assert parse(*(bytes([byte]) for byte in data)).take() == body


@given(bodies, st.sampled_from(PACKERS), st.lists(st.integers(0, 400)))
def test_a_packed_body_is_unpacked(
    body: bytes, pack: Callable[[bytes], bytes], places: list[int]
) -> None:
    data = pack(body)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data)
    assert parse(*cut(head + data, places)).take() == body


@given(bodies, st.lists(st.integers(0, 400)))
def test_a_bare_deflated_body_is_unpacked(body: bytes, places: list[int]) -> None:
    data = bare_deflate(body)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(data)
    assert parse(*cut(head + data, places)).take() == body


def test_a_huge_body_packed_in_many_parts_is_refused() -> None:
    bomb = gzip.compress(b"0" * 9_000) * 50
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    with pytest.raises(MalformedError, match="more than 10,000 bytes"):
        parse(head + bomb)


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_nonsense_is_refused_or_waited_for_and_nothing_else(start: bytes, rest: bytes) -> None:
    for data in (start, b"HTTP/1.1 " + start, b"HTTP/1.1 200 OK\r\n" + start + b"\r\n\r\n" + rest):
        parser = ResponseParser(max_body_bytes=1_000)
        try:
            parser.feed(data)
            parser.feed_eof()
        except (MalformedError, CutOffError):
            continue
        assert parser.is_done


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    parser = parse(b"HTTP/1.1 200 OK\r\n\r\nab", b"cd")
    assert not parser.is_done
    parser.feed_eof()
    assert (parser.is_done, parser.is_reusable, parser.take()) == (True, False, b"abcd")


@pytest.mark.parametrize(
    ("head", "reusable"),
    [
        (b"HTTP/1.1 200 OK", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close", False),
        (b"HTTP/1.0 200 OK", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive", True),
    ],
)
def test_a_connection_is_kept_as_the_head_says(head: bytes, reusable: bool) -> None:
    assert parse(head + b"\r\nContent-Length: 0\r\n\r\n").is_reusable is reusable


def test_bytes_after_the_answer_make_the_connection_useless() -> None:
    parser = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK")
    assert (parser.is_done, parser.is_reusable, parser.take()) == (True, False, b"ok")


def test_interim_answers_are_read_over() -> None:
    parser = parse(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\n"
        b"HTTP/1.1 201 Made\r\nContent-Length: 1\r\n\r\n!"
    )
    assert (parser.status, parser.headers, parser.take()) == (201, {"content-length": "1"}, b"!")


def test_an_answer_without_content_is_done_at_once() -> None:
    assert parse(b"HTTP/1.1 204 No Content\r\n\r\n").is_done


def test_values_of_one_header_are_joined() -> None:
    parser = parse(b"HTTP/1.1 204 x\r\nVia: a\r\nvia:b\r\n\r\n")
    assert parser.headers == {"via": "a, b"}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 20\r\n\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 000 OK\r\n\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", "another protocol"),
        (b"HTTP/1.1 200 OK\ncontent-length: 2\n\n{}", "without a carriage return"),
        (b"HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\n{}", "no name"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: %s\r\n\r\n" % (b"1" * 5_000), "content-length"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "no HTTP/1.1"),
        (b"HTTP/2 200\r\n\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nnothing\r\n\r\n", "no name"),
        (b"HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n", "no name"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", "content-length"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "content-length"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", "99,999 bytes"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", "transfer-encoding"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\n", "'br'"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc", "unpacked"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", "no size"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\n", "no size"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n", "longer"),
        (b"HTTP/1.1 200 OK\r\na: " + b"x" * 70_000, "longer than 65,536"),
    ],
)
def test_what_is_malformed_is_refused_with_the_reason(data: bytes, problem: str) -> None:
    with pytest.raises(MalformedError, match=problem):
        parse(data)


def test_a_small_body_that_unpacks_to_a_huge_one_is_refused() -> None:
    bomb = gzip.compress(b"0" * 5_000_000)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    with pytest.raises(MalformedError, match="more than 10,000 bytes"):
        parse(head + bomb)


def test_a_packed_body_that_is_not_complete_is_refused() -> None:
    half = gzip.compress(b"a long enough text " * 9)[:-9]
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(half)
    with pytest.raises(MalformedError, match="not complete"):
        parse(head + half)


@pytest.mark.parametrize(
    ("data", "begun"),
    [
        (b"", False),
        (b"HTTP/1.1 2", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc", True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", True),
    ],
)
def test_an_answer_that_is_cut_off_says_whether_it_had_begun(data: bytes, begun: bool) -> None:
    parser = parse(data)
    with pytest.raises(CutOffError) as cut_off:
        parser.feed_eof()
    assert cut_off.value.is_begun is begun
