"""What the policy keeps, and how the small queue finds its size."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.cache.entry import Entry, Ghost, Queue
from perfwright.cache.eviction import GHOSTS, LEAST_SHARE, MOST_SHARE, MOST_STEPS, Eviction
from perfwright.cache.store import LocalStore


def hit_ratio(keys: Iterable[str], *, max_entries: int) -> float:
    """Look each key up and store it when it is absent."""
    store: LocalStore[None] = LocalStore(max_entries=max_entries)
    return run(store, keys)


def run(store: LocalStore[None], keys: Iterable[str]) -> float:
    hits = total = 0
    for key in keys:
        total += 1
        if store.get(key, 0.0) is None:
            store.put(key, Entry(None), now_s=0.0)
        else:
            hits += 1
    return hits / total


def lru_hit_ratio(keys: Iterable[str], *, max_entries: int) -> float:
    recent: OrderedDict[str, None] = OrderedDict()
    hits = total = 0
    for key in keys:
        total += 1
        hits += key in recent
        recent[key] = None
        recent.move_to_end(key)
        if len(recent) > max_entries:
            recent.popitem(last=False)
    return hits / total


def skewed(count: int, *, keys: int, rng: random.Random) -> list[str]:
    weights = [1 / rank for rank in range(1, keys + 1)]
    return [f"key{rank}" for rank in rng.choices(range(keys), weights, k=count)]


def scan(count: int, *, first: int = 0) -> list[str]:
    return [f"once{number}" for number in range(first, first + count)]


def recent_only(count: int, *, within: int, rng: random.Random) -> list[str]:
    """Every key comes twice, the second time within `within` requests, then never again."""
    due = sorted(
        (start, number) for number in range(count // 2) for start in twice(number, within, rng)
    )
    return [f"new{number}" for _, number in due]


def twice(number: int, within: int, rng: random.Random) -> tuple[float, float]:
    start = 2.0 * number
    return start, start + 1.0 + rng.random() * within


# --- What stays -----------------------------------------------------------------------------------


def test_a_scan_does_not_displace_what_is_used() -> None:
    store: LocalStore[None] = LocalStore(max_entries=100)
    used = [f"used{number}" for number in range(50)]
    run(store, used * 3)
    run(store, scan(10_000))
    assert [key for key in used if key in store] == used


def test_a_key_that_is_never_used_leaves_before_one_that_was_used_once() -> None:
    store: LocalStore[None] = LocalStore(max_entries=4)
    run(store, ["used", "a", "b", "c", "used", "d", "e", "f"])
    assert "used" in store


def test_what_is_no_longer_used_makes_way() -> None:
    store: LocalStore[None] = LocalStore(max_entries=100)
    rng = random.Random(1)
    run(store, [f"old-{key}" for key in skewed(5_000, keys=300, rng=rng)])
    run(store, skewed(5_000, keys=300, rng=rng))
    assert sum(key.startswith("old-") for key in store.entries) <= 10


def test_a_loop_longer_than_the_store_still_hits() -> None:
    loop = scan(120) * 50
    assert lru_hit_ratio(loop, max_entries=100) == 0.0
    assert hit_ratio(loop, max_entries=100) > 0.3


def test_skewed_use_beats_lru() -> None:
    keys = skewed(40_000, keys=5_000, rng=random.Random(2))
    assert hit_ratio(keys, max_entries=100) > lru_hit_ratio(keys, max_entries=100) + 0.04


def test_a_scan_amid_skewed_use_beats_lru() -> None:
    used = skewed(40_000, keys=2_000, rng=random.Random(3))
    mixed = chain.from_iterable(
        [*used[start : start + 500], *scan(500, first=start)] for start in range(0, 40_000, 500)
    )
    keys = list(mixed)
    assert hit_ratio(keys, max_entries=200) > lru_hit_ratio(keys, max_entries=200) + 0.03


@pytest.mark.parametrize("within", [30, 80, 150])
def test_pure_recency_is_served_nearly_as_by_lru(within: int) -> None:
    """A small queue of a fixed 10 % loses up to 40 points here."""
    keys = recent_only(60_000, within=within, rng=random.Random(4))
    assert hit_ratio(keys, max_entries=100) > lru_hit_ratio(keys, max_entries=100) - 0.025


def test_one_eviction_looks_at_a_bounded_number_of_entries() -> None:
    store: LocalStore[None] = LocalStore(max_entries=10 * MOST_STEPS)
    used = [f"used{number}" for number in range(10 * MOST_STEPS)]
    run(store, used * 4)
    run(store, ["new"])
    unused = [key for key, entry in store.entries.items() if not entry.freq]
    assert len(unused) <= MOST_STEPS + 1


def test_uses_survive_an_overwrite() -> None:
    store: LocalStore[None] = LocalStore(max_entries=4)
    run(store, ["used", "used", "a", "b", "c"])
    store.put("used", Entry(None), now_s=0.0)
    run(store, ["d", "e", "f"])
    assert "used" in store


# --- How the share moves --------------------------------------------------------------------------


def share_after(keys: Sequence[str], *, max_entries: int = 100) -> float:
    store: LocalStore[None] = LocalStore(max_entries=max_entries)
    run(store, keys)
    return store._eviction.share


def test_keys_that_come_back_too_late_for_the_small_queue_lengthen_it() -> None:
    keys = recent_only(20_000, within=150, rng=random.Random(5))
    assert share_after(keys) > 0.6


def test_keys_that_come_back_too_late_for_the_main_queue_shorten_the_small_one() -> None:
    used = [f"used{number}" for number in range(98)]
    once = iter(scan(100_000))
    keys = [key for _ in range(60) for key in chain(used, used, (next(once) for _ in range(60)))]
    assert share_after(keys) < 0.1


@given(
    st.lists(st.sampled_from([f"key{n}" for n in range(30)]), min_size=1, max_size=400),
    st.integers(1, 12),
)
def test_the_share_and_the_ghosts_stay_within_their_bounds(
    keys: list[str], max_entries: int
) -> None:
    store: LocalStore[None] = LocalStore(max_entries=max_entries)
    run(store, keys)
    eviction = store._eviction
    assert LEAST_SHARE <= eviction.share <= MOST_SHARE
    assert len(eviction.small.ghost) + len(eviction.main.ghost) <= GHOSTS * max_entries + 1


def test_a_key_known_from_a_ghost_goes_to_the_main_queue() -> None:
    eviction: Eviction[None] = Eviction()
    eviction.small.ghost.add("back")
    assert eviction.queue_for("back") is eviction.main
    assert eviction.queue_for("back") is eviction.small  # forgotten by the first answer


# --- Parts ----------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["append", "popleft", "remove"]), max_size=60), st.randoms())
def test_a_queue_is_a_list_that_can_drop_from_the_middle(
    moves: list[str], rng: random.Random
) -> None:
    queue: Queue[int] = Queue()
    model: list[Entry[int]] = []
    for number, move in enumerate(moves):
        if move == "append":
            model.append(Entry(number))
            queue.append(model[-1])
        elif model and move == "popleft":
            assert queue.popleft() is model.pop(0)
        elif model:
            queue.remove(model.pop(rng.randrange(len(model))))
        assert queue.count == len(model)
    assert [queue.popleft() for _ in range(queue.count)] == model


def test_a_ghost_forgets_the_oldest_first() -> None:
    ghost = Ghost()
    for key in ("a", "b", "c"):
        ghost.add(key)
    ghost.trim(2)
    assert [ghost.discard(key) for key in ("a", "b", "c")] == [False, True, True]
