"""Memory that stays."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

import pytest

from perfwright.profiling.diagnosis.claim import Claim
from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Allocation, Arguments, Function, Leak, Memory
from tests.profiling.diagnosis.kinds.claims import claims, kinds_in

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


def kinds(text: str, where: str) -> dict[str, str]:
    """What is said after all of a line that allocated 16 MB, whose holder is not known."""
    return kinds_in(example(text, memory=_held(text, where)))


def leaks_of_nobody(text: str, where: str) -> list[Claim]:
    """The same before it is weighed."""
    return claims("leak", example(text, memory=_held(text, where)))


def _held(text: str, where: str) -> Memory:
    frame = frame_of(dedent(text), where)
    leak = Leak(frame=frame, growth_bytes=SIZE, slope_bytes_per_s=1e6, owner="", confidence=1.0)
    return Memory(start_bytes=0, end_bytes=SIZE, peak_bytes=SIZE, leaks=(leak,))


@pytest.mark.parametrize(
    "keeping",
    [
        "SEEN.append(text)",
        "SEEN[key] = text",
        "SEEN.setdefault(key, []).append(text)",
        "SEEN.add(text)",
    ],
)
def test_each_way_to_put_something_into_a_global_is_known(keeping: str) -> None:
    text = f"""
        SEEN = make()
        def handle(key, body):
            text = body.decode()
            {keeping}
    """
    assert kinds(text, "body.decode()") == {"handle": "leak"}


@pytest.mark.parametrize(
    "bound", ["deque(maxlen=9)", "LRUCache(maxsize=9)", "weakref.WeakValueDictionary()"]
)
def test_a_container_that_bounds_itself_keeps_nothing_for_good(bound: str) -> None:
    text = f"""
        SEEN = {bound}
        def handle(key, body):
            SEEN[key] = body.decode()
    """
    assert kinds(text, "body.decode()") == {}


def test_what_somebody_takes_out_again_is_not_called_a_leak() -> None:
    text = """
        SEEN = {}
        def handle(key, body):
            SEEN[key] = body.decode()
        def done(key):
            del SEEN[key]
    """
    assert kinds(text, "body.decode()") == {}


def test_listeners_are_kept_also_where_they_are_gone_through() -> None:
    text = """
        class Bus:
            def subscribe(self, callback):
                self.listeners.append(Entry(callback))
            def send(self, event):
                for listener in self.listeners:
                    listener(event)
    """
    assert kinds(text, "Entry(callback)") == {"Bus.subscribe": "leak"}


def test_a_collection_that_is_gone_through_is_less_sure_to_leak() -> None:
    text = """
        class Report:
            def add(self, row):
                self.rows.append(Entry(row))
            def text(self):
                for row in self.rows:
                    show(row)
    """
    sure = text.replace("in self.rows", "in other")
    gone_through, looked_up = (leaks_of_nobody(t, "Entry(row)") for t in (text, sure))
    assert gone_through[0].confidence < looked_up[0].confidence


def test_a_cache_with_a_bound_is_no_leak() -> None:
    text = """
        import functools
        @functools.lru_cache(maxsize=99)
        def render(page):
            return page * 100
    """
    assert kinds(text, "page * 100") == {}


KEPT = """
    class Kept:
        def __init__(self):
            self.values = {}
        def get(self, key, args):
            try:
                return self.values[key]
            except KeyError:
                value = self.values[key] = work_out(args)
                return value
    KEPT = Kept()
    def estimate(parcel):
        key = (parcel.zone, parcel.number)
        return KEPT.get(key, parcel)
    def asked(key):
        return KEPT.get(key, key)
    def work_out(args):
        return "x" * args
"""


def kept_by(caller: str, *, different: int) -> list[str]:
    """Who is blamed for what `Kept.get` keeps, of 100 looks at its calls."""
    text = dedent(KEPT)
    get = frame_of(text, "def get").function
    leak = Leak(
        frame=frame_of(text, '"x" * args'),
        growth_bytes=SIZE,
        slope_bytes_per_s=1e6,
        owner="shop:KEPT.values (dict)",
        confidence=1.0,
    )
    memory = Memory(start_bytes=0, end_bytes=SIZE, peak_bytes=SIZE, leaks=(leak,))
    looks = Arguments(
        function=get, looks=100, distinct=different, by_value=True, each=(("key", different),)
    )
    profile = replace(
        example(text, memory=memory, calls={(f"def {caller}", "def get"): 5000}),
        arguments=(looks,),
    )
    return [claim.function.name for claim in claims("leak", profile)]


def test_who_makes_keys_that_never_come_again_is_blamed() -> None:
    assert kept_by("estimate", different=95) == ["estimate"]


def test_a_cache_that_is_asked_again_is_to_blame_for_having_no_bound() -> None:
    assert kept_by("estimate", different=20) == ["Kept.get"]


def test_who_only_hands_a_key_on_is_not_to_blame() -> None:
    assert kept_by("asked", different=95) == ["Kept.get"]


def test_the_line_told_is_one_of_the_function_that_is_blamed() -> None:
    (claim,) = leaks(GLOBAL, "body.decode()")
    assert claim.lines == (6,)


def weakly_seen(text: str, *, called: str) -> list[float]:
    """How sure a leak is that few snapshots show, of a function that was called often."""
    text = dedent(text)
    leak = Leak(
        frame=frame_of(text, "body.decode()"),
        growth_bytes=SIZE,
        slope_bytes_per_s=1e6,
        owner="",
        confidence=0.3,
    )
    memory = Memory(start_bytes=0, end_bytes=SIZE, peak_bytes=SIZE, leaks=(leak,))
    calls = {("def serve", called): 5000}
    return [c.confidence for c in claims("leak", example(text, memory=memory, calls=calls))]


CACHE = """
    def render(key, body, cache={}):
        if key not in cache:
            cache[key] = body.decode()
        return cache[key]
    def serve(requests):
        for key, body in requests:
            render(key, body)
"""
INDEX = """
    BY_KEY = {}
    def put(key, body):
        BY_KEY[key] = body.decode()
    def found(key):
        return BY_KEY.get(key)
    def serve(requests):
        for key, body in requests:
            put(key, body)
"""


def test_a_cache_in_a_default_argument_is_kept_for_good() -> None:
    assert weakly_seen(CACHE, called="def render") == [pytest.approx(0.57)]


def test_an_index_that_others_ask_needs_more_snapshots() -> None:
    assert weakly_seen(INDEX, called="def put") == [pytest.approx(0.475)]


def test_what_a_coroutine_makes_is_kept_by_who_begins_it() -> None:
    text = """
        class Bus:
            pending = []
            async def publish(self, body):
                Bus.pending.append(ensure_future(self.handle(body)))
            async def handle(self, body):
                return body.decode()
    """
    text = dedent(text)
    leak = Leak(
        frame=frame_of(text, "body.decode()"),
        growth_bytes=SIZE,
        slope_bytes_per_s=1e6,
        owner="",
        confidence=1.0,
    )
    memory = Memory(start_bytes=0, end_bytes=SIZE, peak_bytes=SIZE, leaks=(leak,))
    loop = Function("/usr/lib/python3.11/asyncio/events.py", 78, "Handle._run")
    profile = example(text, memory=memory, calls={("async def publish", "def handle"): 9})
    resumed = tuple(replace(call, caller=loop) for call in profile.calls)
    found = claims("leak", replace(profile, calls=resumed))
    assert [claim.function.name for claim in found] == ["Bus.publish"]
