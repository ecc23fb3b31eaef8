"""Memory that stays."""

from __future__ import annotations

from textwrap import dedent

from perfwright.profiling.diagnosis.claim import Claim
from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Allocation, Leak, Memory
from tests.profiling.diagnosis.kinds.claims import claims

SIZE = 16 << 20


def leaks(text: str, where: str, *, slope: bool = True) -> list[Claim]:
    """What is claimed of 16 MB that were allocated at a line and kept."""
    frame = frame_of(dedent(text), where)
    leak = Leak(
        frame=frame, growth_bytes=SIZE, slope_bytes_per_s=1e6, owner="shop:SEEN", confidence=1.0
    )
    memory = Memory(
        start_bytes=0,
        end_bytes=SIZE,
        peak_bytes=SIZE,
        growth=(Allocation(frame=frame, size_bytes=SIZE, count=9),),
        leaks=(leak,) if slope else (),
    )
    return claims("leak", example(text, memory=memory))


GLOBAL = """
    SEEN = {}
    def make(body):
        return body.decode()
    def handle(key, body):
        SEEN[key] = make(body)
"""


def test_the_function_that_keeps_is_blamed_not_the_one_that_makes() -> None:
    assert [c.function.name for c in leaks(GLOBAL, "body.decode()")] == ["handle"]


def test_an_unbounded_cache_is_blamed() -> None:
    text = """
        import functools
        @functools.lru_cache(maxsize=None)
        def render(page):
            return page * 100
    """
    found = leaks(text, "page * 100")
    assert [c.function.name for c in found] == ["render"]
    assert "cache without bound" in found[0].evidence


def test_a_local_list_is_not_sure_to_be_a_leak() -> None:
    text = """
        def collect(rows):
            out = []
            for row in rows:
                out.append(str(row))
            return out
    """
    assert all(c.confidence < 0.7 for c in leaks(text, "out.append"))


def test_what_a_short_run_left_behind_is_a_weaker_suspect() -> None:
    weak, strong = leaks(GLOBAL, "SEEN[key]", slope=False), leaks(GLOBAL, "SEEN[key]")
    assert weak[0].confidence < strong[0].confidence
    assert weak[0].memory_bytes == SIZE


def test_an_object_that_hands_itself_to_a_registry_is_kept_by_the_registry() -> None:
    text = """
        class Bus:
            def subscribe(self, callback):
                self.listeners.append(callback)
        class Widget:
            def __init__(self, bus):
                self.pixels = bytearray(900)
                bus.subscribe(self.redraw)
    """
    assert [c.function.name for c in leaks(text, "bytearray(900)")] == ["Bus.subscribe"]


def test_the_container_that_holds_the_leak_leads_to_who_fills_it() -> None:
    text = """
        SEEN = {}
        def make(body):
            return body.decode()
        def remember(key, text):
            SEEN[key] = text
        def other(log, text):
            log.rows.append(text)
    """
    assert [c.function.name for c in leaks(text, "body.decode()")] == ["remember"]
