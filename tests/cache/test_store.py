"""The store is a dict that forgets: within its bounds, expired entries first, exact to the byte."""

from __future__ import annotations

import gc
import weakref
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from perfwright.cache.entry import Entry
from perfwright.cache.store import RECLAIMED_PER_PUT, LocalStore
from perfwright.core import ConfigError


def store_of(
    *keys: str, max_entries: int = 100, max_bytes: int | None = None, size_bytes: int = 1
) -> LocalStore[str]:
    """Store each of `keys` with itself as its value, at time zero."""
    store: LocalStore[str] = LocalStore(max_entries=max_entries, max_bytes=max_bytes)
    for key in keys:
        store.put(key, Entry(key, size_bytes=size_bytes), now_s=0.0)
    return store


def names(count: int, *, prefix: str = "key") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def value_of(store: LocalStore[str], key: str, now_s: float = 0.0) -> str | None:
    entry = store.get(key, now_s)
    return None if entry is None else entry.value


# --- As a dict ------------------------------------------------------------------------------------


def test_what_was_put_is_found() -> None:
    assert value_of(store_of("a", "b"), "a") == "a"


def test_what_was_never_put_is_absent() -> None:
    assert value_of(store_of("a"), "b") is None


def test_a_later_value_replaces_the_earlier() -> None:
    store = store_of("a")
    store.put("a", Entry("new"), now_s=0.0)
    assert value_of(store, "a") == "new"


def test_a_removed_key_is_absent() -> None:
    store = store_of("a")
    assert store.remove("a")
    assert value_of(store, "a") is None


def test_removing_an_absent_key_says_so() -> None:
    assert not store_of("a").remove("b")


def test_a_cleared_store_is_empty() -> None:
    store = store_of(*names(50), max_entries=20)
    store.clear()
    assert (len(store), store.size_bytes, store.keys()) == (0, 0, [])


def test_a_cleared_store_fills_again() -> None:
    store = store_of(*names(50), max_entries=20)
    store.clear()
    store.put("a", Entry("a"), now_s=0.0)
    assert value_of(store, "a") == "a"


def test_the_hit_path_may_hold_on_to_the_dict() -> None:
    store = store_of("a")
    entries = store.entries
    store.clear()
    store.put("b", Entry("b"), now_s=0.0)
    assert list(entries) == ["b"]


# --- Bounds ---------------------------------------------------------------------------------------


def test_the_number_of_entries_is_bounded() -> None:
    store = store_of(*names(100), max_entries=7)
    assert (len(store), store.evictions) == (7, 93)


def test_the_sum_of_bytes_is_bounded() -> None:
    store = store_of(*names(100), max_bytes=50, size_bytes=8)
    assert store.size_bytes == 48


def test_one_large_entry_may_displace_several() -> None:
    store = store_of(*names(10), max_bytes=100, size_bytes=10)
    store.put("large", Entry("large", size_bytes=45), now_s=0.0)
    assert (value_of(store, "large"), len(store), store.size_bytes) == ("large", 6, 95)


def test_an_entry_with_too_large_a_share_of_the_bytes_is_refused() -> None:
    store = store_of(*names(10), max_bytes=100, size_bytes=10)
    assert not store.put("huge", Entry("huge", size_bytes=51), now_s=0.0)
    assert (len(store), store.refusals, store.evictions) == (10, 1, 0)


def test_the_share_that_one_entry_may_have_can_be_chosen() -> None:
    store: LocalStore[str] = LocalStore(max_entries=9, max_bytes=100, max_entry_ratio=1.0)
    assert store.put("all", Entry("all", size_bytes=100), now_s=0.0)


def test_a_refused_value_does_not_leave_its_predecessor_behind() -> None:
    store = store_of("a", max_bytes=100)
    store.put("a", Entry("huge", size_bytes=99), now_s=0.0)
    assert value_of(store, "a") is None


def test_an_overwrite_counts_the_new_size_only() -> None:
    store = store_of("a", "b", max_bytes=100, size_bytes=10)
    store.put("a", Entry("new", size_bytes=25), now_s=0.0)
    assert store.size_bytes == 35


def test_an_overwrite_that_needs_room_does_not_displace_itself() -> None:
    store = store_of(*names(10), max_bytes=100, size_bytes=10)
    store.put("key0", Entry("new", size_bytes=50), now_s=0.0)
    assert value_of(store, "key0") == "new"


def test_an_overwrite_of_a_full_store_displaces_nothing() -> None:
    store = store_of(*names(7), max_entries=7)
    store.put("key3", Entry("new"), now_s=0.0)
    assert (len(store), store.evictions) == (7, 0)


def test_a_store_of_one_entry_holds_the_latest() -> None:
    store = store_of("a", "b", "c", max_entries=1)
    assert store.keys() == ["c"]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"max_entries": 0}, "max_entries"),
        ({"max_entries": 1, "max_bytes": 0}, "max_bytes"),
        ({"max_entries": 1, "max_entry_ratio": 0.0}, "max_entry_ratio"),
        ({"max_entries": 1, "max_entry_ratio": 1.1}, "max_entry_ratio"),
    ],
)
def test_a_bound_that_cannot_be_kept_is_refused_by_name(
    settings: dict[str, int | float], field: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        LocalStore[str](**settings)  # type: ignore[arg-type]  # what the test is about
    assert caught.value.field == field


# --- Time -----------------------------------------------------------------------------------------


def test_an_entry_is_served_until_it_expires() -> None:
    store = store_of()
    store.put("a", Entry("a", expires_at_s=10.0), now_s=0.0)
    assert (value_of(store, "a", now_s=9.9), value_of(store, "a", now_s=10.0)) == ("a", None)


def test_an_expired_entry_can_still_be_looked_at() -> None:
    store = store_of()
    store.put("a", Entry("a", expires_at_s=10.0), now_s=0.0)
    assert store.get("a", 10.0) is None
    assert store.peek("a") is not None


def test_an_entry_that_has_expired_already_is_refused() -> None:
    store = store_of()
    assert not store.put("a", Entry("a", expires_at_s=10.0), now_s=10.0)
    assert (len(store), store.refusals) == (0, 1)


def test_expired_entries_make_room_before_live_ones() -> None:
    store = store_of(max_entries=10)
    for number, key in enumerate(names(10)):
        store.put(key, Entry(key, expires_at_s=5.0 if number % 2 else inf), now_s=0.0)
    for key in names(5, prefix="new"):
        store.put(key, Entry(key), now_s=6.0)
    assert (store.evictions, store.expirations) == (0, 5)
    assert sorted(store.keys()) == sorted([*names(10)[::2], *names(5, prefix="new")])


def test_bytes_of_expired_entries_make_room_before_those_of_live_ones() -> None:
    store = store_of("live", max_bytes=100, size_bytes=40)
    for key in names(6):
        store.put(key, Entry(key, size_bytes=10, expires_at_s=5.0), now_s=0.0)
    store.put("new", Entry("new", size_bytes=50), now_s=6.0)
    assert (store.evictions, store.expirations, value_of(store, "live")) == (0, 5, "live")


def test_expired_entries_are_reclaimed_although_there_is_room() -> None:
    store = store_of()
    for key in names(10):
        store.put(key, Entry(key, expires_at_s=5.0), now_s=0.0)
    store.put("new", Entry("new"), now_s=6.0)
    assert len(store) == 10 - RECLAIMED_PER_PUT + 1


def test_replacing_an_expired_entry_counts_as_an_expiration() -> None:
    store = store_of()
    store.put("a", Entry("a", expires_at_s=5.0), now_s=0.0)
    store.put("a", Entry("new"), now_s=6.0)
    assert (store.expirations, value_of(store, "a", now_s=6.0)) == (1, "new")


def test_an_entry_may_be_given_more_time_in_place() -> None:
    store = store_of(max_entries=2)
    store.put("a", Entry("a", expires_at_s=5.0), now_s=0.0)
    store.entries["a"].expires_at_s = 20.0
    store.put("b", Entry("b"), now_s=6.0)  # meets the note of the former end
    assert value_of(store, "a", now_s=19.0) == "a"
    store.put("c", Entry("c"), now_s=21.0)
    assert sorted(store.keys()) == ["b", "c"]


def test_an_entry_put_again_with_more_time_keeps_it() -> None:
    store = store_of(max_entries=2)
    store.put("a", Entry("a", expires_at_s=5.0), now_s=0.0)
    store.put("a", Entry("a", expires_at_s=20.0), now_s=1.0)
    store.put("b", Entry("b"), now_s=6.0)
    assert value_of(store, "a", now_s=19.0) == "a"


def test_an_overwritten_key_can_be_reclaimed_once_only() -> None:
    store = store_of()
    for _ in range(3):
        store.put("a", Entry("a", size_bytes=7, expires_at_s=5.0), now_s=0.0)
    store.put("b", Entry("b", size_bytes=1), now_s=6.0)
    assert (store.expirations, store.size_bytes) == (1, 1)


def test_notes_of_expiry_do_not_pile_up() -> None:
    store = store_of(max_entries=10)
    for number in range(2_000):
        store.put(f"key{number}", Entry("a", expires_at_s=1e9 + number), now_s=0.0)
        store.put("same", Entry("a", expires_at_s=1e9 + number), now_s=0.0)
    assert len(store._expiry) <= 2 * 10 + 64 + 1


# --- Memory ---------------------------------------------------------------------------------------


class Weighty:
    """A value whose end can be seen."""


def test_an_evicted_value_is_freed_without_the_garbage_collector() -> None:
    store: LocalStore[Weighty] = LocalStore(max_entries=2)
    value = Weighty()
    seen = weakref.ref(value)
    gc.disable()
    try:
        store.put("a", Entry(value), now_s=0.0)
        del value
        for key in names(5):
            store.put(key, Entry(Weighty()), now_s=0.0)
        assert seen() is None
    finally:
        gc.enable()


def test_cleared_values_are_freed_without_the_garbage_collector() -> None:
    store: LocalStore[Weighty] = LocalStore(max_entries=9)
    for key in names(5):
        store.put(key, Entry(Weighty()), now_s=0.0)
    seen = [weakref.ref(entry.value) for entry in store.entries.values()]
    gc.disable()
    try:
        store.clear()
        assert [value() for value in seen] == [None] * 5
    finally:
        gc.enable()


def test_who_holds_an_evicted_entry_holds_none_of_its_neighbours() -> None:
    store: LocalStore[Weighty] = LocalStore(max_entries=3)
    for key in names(3):
        store.put(key, Entry(Weighty()), now_s=0.0)
    held, neighbour = store.entries["key1"], weakref.ref(store.entries["key2"].value)
    gc.disable()
    try:
        store.remove("key1")
        store.remove("key2")
        assert held.key == "key1"
        assert neighbour() is None
    finally:
        gc.enable()


# --- Whatever happens -----------------------------------------------------------------------------

KEYS = st.sampled_from(names(12))
SIZES = st.integers(min_value=0, max_value=60)


class StoreIsADictThatForgets(RuleBasedStateMachine):
    """Runs beside a dict that forgets nothing: the store may know less, never more or other."""

    @initialize(
        max_entries=st.integers(min_value=1, max_value=8),
        max_bytes=st.none() | st.integers(min_value=1, max_value=150),
    )
    def begin(self, max_entries: int, max_bytes: int | None) -> None:
        self.store: LocalStore[int] = LocalStore(max_entries=max_entries, max_bytes=max_bytes)
        self.model: dict[str, tuple[int, float]] = {}
        self.now_s = 0.0
        self.puts = self.stored = self.removed = self.replaced = 0

    @rule(key=KEYS, size_bytes=SIZES, ttl_s=st.sampled_from([-1.0, 0.0, 1.0, 5.0, inf]))
    def put(self, key: str, size_bytes: int, ttl_s: float) -> None:
        self.puts += 1
        had, before = key in self.store, self.store.evictions
        expired_before = had and self.store.entries[key].expires_at_s <= self.now_s
        expires_at_s = self.now_s + ttl_s
        entry = Entry(self.puts, size_bytes=size_bytes, expires_at_s=expires_at_s)
        stored = self.store.put(key, entry, now_s=self.now_s)
        limit = inf if self.store.max_bytes is None else self.store.max_bytes / 2
        assert stored == (ttl_s > 0 and size_bytes <= limit)
        self.replaced += had and not expired_before
        self.model.pop(key, None)
        if stored:
            self.stored += 1
            self.model[key] = (self.puts, expires_at_s)
            assert key in self.store
        else:
            assert self.store.evictions == before

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        entry = self.store.get(key, self.now_s)
        if entry is not None:
            value, expires_at_s = self.model[key]
            assert entry.value == value
            assert self.now_s < expires_at_s

    @rule(key=KEYS)
    def remove(self, key: str) -> None:
        had = key in self.store
        assert self.store.remove(key) == had
        self.removed += had
        self.model.pop(key, None)

    @rule(key=KEYS, seconds=st.sampled_from([-2.0, 3.0]))
    def move_the_end(self, key: str, seconds: float) -> None:
        entry = self.store.peek(key)
        if entry is not None:
            entry.expires_at_s += seconds
            self.model[key] = (entry.value, entry.expires_at_s)

    @rule(seconds=st.sampled_from([0.5, 2.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @precondition(lambda self: self.puts % 7 == 6)  # rare, or nothing ever fills
    @rule()
    def clear(self) -> None:
        self.removed += len(self.store)
        self.store.clear()
        self.model.clear()

    @invariant()
    def bounds_hold(self) -> None:
        assert len(self.store) <= self.store.max_entries
        assert self.store.size_bytes <= (self.store.max_bytes or inf)

    @invariant()
    def the_sum_is_exact(self) -> None:
        entries = self.store.entries
        assert self.store.size_bytes == sum(entry.size_bytes for entry in entries.values())

    @invariant()
    def the_store_knows_nothing_that_the_dict_does_not(self) -> None:
        known = {key: entry.value for key, entry in self.store.entries.items()}
        assert known.items() <= {key: value for key, (value, _) in self.model.items()}.items()

    @invariant()
    def every_entry_that_left_is_counted_once(self) -> None:
        left = self.store.evictions + self.store.expirations + self.removed + self.replaced
        assert self.stored == len(self.store) + left

    @invariant()
    def queues_hold_what_the_dict_holds(self) -> None:
        small, main = self.store._eviction.small, self.store._eviction.main
        assert small.count + main.count == len(self.store)
        assert all(
            entry.key == key and entry.queue in {small, main}
            for key, entry in self.store.entries.items()
        )


TestStoreIsADictThatForgets = StoreIsADictThatForgets.TestCase


@given(st.lists(KEYS, max_size=200))
def test_a_store_with_room_for_everything_is_a_dict(keys: list[str]) -> None:
    store, model = store_of(max_entries=12), dict[str, str]()
    for number, key in enumerate(keys):
        assert value_of(store, key) == model.get(key)
        store.put(key, Entry(str(number)), now_s=0.0)
        model[key] = str(number)
    assert {key: entry.value for key, entry in store.entries.items()} == model
    assert store.evictions == 0
