from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import BadAnswerError
from perfwright.llm.wire import Event, EventParser

LINES = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"data: \xc3\xa9\xf0\x9f\x98\x80",
        b"data",
        b"data: x: y",
        b"event: e",
        b": note",
        b"id: 7",
        b"nonsense",
        b"",
        b"",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    start = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    return start + b"".join(draw(LINES) + draw(ENDS) for _ in range(draw(st.integers(0, 12))))


def reference(stream: bytes) -> list[tuple[str, bytes]]:
    """The standard's algorithm, line by line, on the whole text."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found, name, data = [], "", None
    for line in text.split(b"\n")[:-1]:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if data is not None:
                found.append((name, data.removesuffix(b"\n")))
            name, data = "", None
        elif field == b"data":
            data = (data or b"") + value + b"\n"
        elif field == b"event":
            name = value.decode()
    return found


@given(stream=streams(), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_any_chunking_gives_the_events_of_the_standard(stream: bytes, cuts: list[int]) -> None:
    parser = EventParser()
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    found: list[Event] = []
    for start, end in pairwise(places):
        found += parser.feed(stream[start:end])
    assert [(event.name, event.data) for event in found] == reference(stream)


@given(stream=streams())
def test_byte_by_byte_gives_the_same_as_all_at_once(stream: bytes) -> None:
    slow = EventParser()
    assert [one for byte in stream for one in slow.feed(bytes([byte]))] == EventParser().feed(
        stream
    )


def test_an_event_keeps_its_bytes() -> None:
    (event,) = EventParser().feed(b"event: delta\ndata: {}\n\n")
    assert event == Event("delta", b"{}", b"event: delta\ndata: {}")


def test_an_event_without_its_blank_line_is_given_at_the_end() -> None:
    parser = EventParser()
    assert parser.feed(b"data: [DONE]\n") == []
    assert [event.data for event in parser.finish()] == [b"[DONE]"]


def test_an_event_that_never_ends_is_refused() -> None:
    parser = EventParser(max_event_bytes=100)
    for _ in range(10):
        parser.feed(b"data: 7890")
    with pytest.raises(BadAnswerError, match="longer than 100 bytes"):
        parser.feed(b"!")


def test_a_long_event_in_small_chunks_is_put_together_once() -> None:
    parser = EventParser()
    for _ in range(20_000):
        assert parser.feed(b"x" * 10) == []
    assert len(parser._parts) == 20_000
