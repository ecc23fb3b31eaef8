"""Does `estimate_complexity` name the growth of functions whose growth is known?

Each function is run with four sizes. Scored are the class itself, and whether growth beyond a line
is called so: a line called more than that is the mistake that must not happen.

    python benchmarks/complexity.py [--rounds N] [--only NAME] [--load]

Ends with 1 if precision or recall of superlinear growth is below 0.9.
"""

from __future__ import annotations

import argparse
import bisect
import copy
import heapq
import itertools
import json
import random
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from _shared import Share, background_load, circumstances, say, table

from perfwright.profiling.complexity import (
    complexity_of_observations,
    estimate_complexity,
    shuffled,
)

USUAL = (100, 300, 1000, 3000)
SMALL = (50, 100, 200, 400)
TINY = (8, 16, 32, 64)
LARGE = (1000, 5000, 20_000, 100_000)
FEW = (6, 9, 12, 15)


@dataclass(frozen=True)
class Case:
    func: Callable[[Any], object]
    truth: str
    sizes: Sequence[int] = USUAL
    make_input: Callable[[int], Any] = shuffled

    @property
    def name(self) -> str:
        return self.func.__name__


def words(size: int) -> list[str]:
    return [f"word{number}" for number in shuffled(size)]


def text(size: int) -> str:
    return " ".join(words(size))


def matrix(size: int) -> list[list[int]]:
    return [[row ^ column for column in range(size)] for row in range(size)]


def tree(size: int) -> dict[str, Any]:
    return {"id": size, "children": [tree(size // 3) for _ in range(3)] if size > 2 else []}


# --- O(1), O(log n) -------------------------------------------------------------------------------


def first(items: list[int]) -> int:
    return items[0]


def dict_lookup(table_: dict[int, int]) -> int:
    return table_[len(table_) // 2] + table_.get(-1, 0)


def fixed_loop(items: list[int]) -> int:
    total = 0
    for number in range(50):
        total += items[number % len(items)]
    return total


def binary_search(items: list[int]) -> int:
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        if items[middle] < len(items):
            low = middle + 1
        else:
            high = middle
    return low


def digits(number: int) -> int:
    count = 0
    while number:
        number //= 2
        count += 1
    return count


# --- O(n) -----------------------------------------------------------------------------------------


def total_in_python(items: list[int]) -> int:
    total = 0
    for item in items:
        total += item
    return total


def total_in_c(items: list[int]) -> int:
    return sum(items)


def copy_list(items: list[int]) -> list[int]:
    return items[:]


def reverse_words(items: list[str]) -> str:
    return " ".join(reversed(items))


def unique_by_set(items: list[int]) -> list[int]:
    seen: set[int] = set()
    return [item for item in items if not (item in seen or seen.add(item))]


def count_words(line: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in line.split():
        counts[word] = counts.get(word, 0) + 1
    return counts


def queue_by_deque(items: list[int]) -> int:
    queue, total = deque(items), 0
    while queue:
        total += queue.popleft()
    return total


def parse_json(document: str) -> Any:
    return json.loads(document)


def search_once(items: list[int]) -> bool:
    return -1 in items


def early_exit(items: list[int]) -> int:
    for index, item in enumerate(items):
        if item * 2 > len(items) and index * 3 > len(items):
            return index
    return -1


def windows(items: list[int]) -> list[int]:
    return [sum(items[at : at + 8]) for at in range(len(items))]


def generated(items: list[int]) -> Any:
    for item in items:
        yield item * item


def build_string(items: list[str]) -> str:
    result = ""
    for item in items:
        result += item
    return result


def substitute(line: str) -> str:
    return re.sub(r"word(\d)", r"\1", line)


def deep_copied(items: list[int]) -> list[list[int]]:
    return copy.deepcopy([[item] for item in items])


def ten_passes(items: list[int]) -> int:
    return sum(max(items) for _ in range(10))


def walk_tree(node: dict[str, Any]) -> int:
    return 1 + sum(walk_tree(child) for child in node["children"])


def two_pointers(items: list[int]) -> int:
    low, high, pairs = 0, len(items) - 1, 0
    while low < high:
        pairs += items[low] + items[high] > len(items)
        low, high = low + 1, high - 1
    return pairs


def primes_by_sieve(limit: int) -> int:
    sieve = bytearray([1]) * (limit + 1)
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit + 1, number)))
    return sum(sieve)


# --- O(n log n) -----------------------------------------------------------------------------------


def merge_sort(items: list[int]) -> list[int]:
    if len(items) < 2:
        return items
    middle = len(items) // 2
    left, right = merge_sort(items[:middle]), merge_sort(items[middle:])
    merged, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            merged.append(left[i])
            i += 1
        else:
            merged.append(right[j])
            j += 1
    return merged + left[i:] + right[j:]


def quick_sort(items: list[int]) -> list[int]:
    if len(items) < 2:
        return items
    pivot = items[len(items) // 2]
    return (
        quick_sort([item for item in items if item < pivot])
        + [item for item in items if item == pivot]
        + quick_sort([item for item in items if item > pivot])
    )


def sort_in_c(items: list[int]) -> list[int]:
    return sorted(items)


def search_each(items: list[int]) -> int:
    found = 0
    for item in items:
        low, high = 0, len(items)
        while low < high:
            middle = (low + high) // 2
            if middle < item:
                low = middle + 1
            else:
                high = middle
        found += low
    return found


# --- O(n^2), O(n^3) -------------------------------------------------------------------------------


def bubble_sort(items: list[int]) -> list[int]:
    for end in range(len(items), 0, -1):
        for at in range(end - 1):
            if items[at] > items[at + 1]:
                items[at], items[at + 1] = items[at + 1], items[at]
    return items


def insertion_sort(items: list[int]) -> list[int]:
    for at in range(1, len(items)):
        item, to = items[at], at
        while to and items[to - 1] > item:
            items[to] = items[to - 1]
            to -= 1
        items[to] = item
    return items


def unique_by_list(items: list[int]) -> list[int]:
    seen: list[int] = []
    for item in items:
        if item not in seen:
            seen.append(item)
    return seen


def count_each(items: list[int]) -> dict[int, int]:
    return {item: items.count(item) for item in items}


def pairs_of(items: list[int]) -> int:
    return sum(1 for one in items for other in items if one + other == 100)


def all_pairs_in_c(items: list[int]) -> int:
    return sum(a < b for a, b in itertools.combinations(items, 2))


def index_of_each(items: list[str]) -> list[int]:
    return [items.index(item) for item in items]


def sum_of_prefixes(items: list[int]) -> list[int]:
    return [sum(items[:end]) for end in range(len(items))]


def rebuild_list(items: list[int]) -> list[int]:
    result: list[int] = []
    for item in items:
        result = [*result, item]
    return result


def sort_in_loop(items: list[int]) -> list[int]:
    kept: list[int] = []
    for item in items:
        kept.append(item)
        kept.sort()
    return kept


def remove_each(items: list[str]) -> int:
    left = list(items)
    for item in items:
        left.remove(item)
    return len(left)


def matrix_product(rows: list[list[int]]) -> list[list[int]]:
    size = range(len(rows))
    return [[sum(rows[i][k] * rows[k][j] for k in size) for j in size] for i in size]


def shortest_paths(rows: list[list[int]]) -> list[list[int]]:
    for via in range(len(rows)):
        for start in range(len(rows)):
            for end in range(len(rows)):
                rows[start][end] = min(rows[start][end], rows[start][via] + rows[via][end])
    return rows


def triples(items: list[int]) -> int:
    found = 0
    for one in items:
        for other in items:
            found += (30 - one - other) in items
    return found


# --- O(2^n) ---------------------------------------------------------------------------------------


def fibonacci(number: int) -> int:
    return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)


def subset_sums(items: list[int]) -> int:
    if not items:
        return 1
    return subset_sums(items[1:]) + subset_sums(items[1:])


def hanoi(disks: int) -> int:
    return 0 if not disks else hanoi(disks - 1) + 1 + hanoi(disks - 1)


def heap_top(items: list[int]) -> list[int]:
    heap: list[int] = []
    for item in items:
        if len(heap) < 10:
            heapq.heappush(heap, item)
        else:
            heapq.heappushpop(heap, item)
    return heap


def bisect_each(items: list[int]) -> int:
    ordered = range(1000)
    return sum(bisect.bisect(ordered, item) for item in items)


# --- Operations in C, next to a large constant, and waiting ---------------------------------------


def sort_and_pass(items: list[int]) -> int:
    total = 0
    for item in sorted(items):
        total += item
    return total


def sort_by_key(items: list[int]) -> list[int]:
    return sorted(items, key=lambda item: -item)


def sort_sorted(items: list[int]) -> list[int]:
    return sorted(range(len(items)))


def heap_sort(items: list[int]) -> list[int]:
    heap: list[int] = []
    for item in items:
        heapq.heappush(heap, item)
    return [heapq.heappop(heap) for _ in range(len(heap))]


def heapify_once(items: list[int]) -> list[int]:
    heapq.heapify(items)
    return items[:3]


def insert_in_order(items: list[int]) -> list[int]:
    kept: list[int] = []
    for item in items:
        bisect.insort(kept, item)
    return kept


def sort_words(items: list[str]) -> str:
    return max(sorted(items), key=len)


def set_up_and_pass(items: list[int]) -> int:
    total = sum(number for number in range(20_000))
    for item in items:
        total += item
    return total


def set_up_and_pairs(items: list[int]) -> int:
    total = sum(number for number in range(20_000))
    return total + sum(a < b for a in items for b in items)


def wait_for_each(items: list[int]) -> None:
    time.sleep(len(items) * 2e-5)


def wait_for_pairs(items: list[int]) -> None:
    time.sleep(len(items) ** 2 * 2e-7)


def wait_once(items: list[int]) -> int:
    time.sleep(0.005)
    return len(items)


CASES = (
    Case(first, "O(1)"),
    Case(dict_lookup, "O(1)", make_input=lambda n: {key: key for key in range(n)}),
    Case(fixed_loop, "O(1)"),
    Case(binary_search, "O(log n)", LARGE, lambda n: list(range(n))),
    Case(digits, "O(log n)", LARGE, int),
    Case(total_in_python, "O(n)"),
    Case(total_in_c, "O(n)", LARGE),
    Case(copy_list, "O(n)", LARGE),
    Case(reverse_words, "O(n)", make_input=words),
    Case(unique_by_set, "O(n)", LARGE),
    Case(count_words, "O(n)", make_input=text),
    Case(queue_by_deque, "O(n)"),
    Case(parse_json, "O(n)", make_input=lambda n: json.dumps(words(n))),
    Case(search_once, "O(n)", LARGE),
    Case(early_exit, "O(n)"),
    Case(windows, "O(n)", SMALL),
    Case(generated, "O(n)", TINY),
    Case(build_string, "O(n)", make_input=words),
    Case(substitute, "O(n)", make_input=text),
    Case(deep_copied, "O(n)", SMALL),
    Case(ten_passes, "O(n)", LARGE),
    Case(walk_tree, "O(n)", (9, 81, 729, 6561), tree),
    Case(two_pointers, "O(n)", LARGE),
    Case(primes_by_sieve, "O(n)", LARGE, int),
    Case(heap_top, "O(n)"),
    Case(bisect_each, "O(n)"),
    Case(merge_sort, "O(n log n)"),
    Case(quick_sort, "O(n log n)", SMALL),
    Case(sort_in_c, "O(n log n)", LARGE),
    Case(search_each, "O(n log n)"),
    Case(bubble_sort, "O(n^2)", SMALL),
    Case(insertion_sort, "O(n^2)", SMALL),
    Case(unique_by_list, "O(n^2)"),
    Case(count_each, "O(n^2)", SMALL),
    Case(pairs_of, "O(n^2)", SMALL),
    Case(all_pairs_in_c, "O(n^2)", SMALL),
    Case(index_of_each, "O(n^2)", SMALL, words),
    Case(sum_of_prefixes, "O(n^2)"),
    Case(rebuild_list, "O(n^2)", (200, 600, 2000, 6000)),
    Case(sort_in_loop, "O(n^2)"),
    Case(remove_each, "O(n^2)", (200, 600, 2000, 6000), words),
    Case(matrix_product, "O(n^3)", TINY, matrix),
    Case(shortest_paths, "O(n^3)", TINY, matrix),
    Case(triples, "O(n^3)", (10, 30, 100, 300), lambda n: [number + 31 for number in range(n)]),
    Case(sort_and_pass, "O(n log n)", LARGE),
    Case(sort_by_key, "O(n log n)"),
    Case(sort_sorted, "O(n)", LARGE),
    Case(heap_sort, "O(n log n)"),
    Case(heapify_once, "O(n)"),
    Case(insert_in_order, "O(n log n)"),
    Case(sort_words, "O(n log n)", LARGE, words),
    Case(set_up_and_pass, "O(n)"),
    Case(set_up_and_pass, "O(n)", (10, 30, 100, 300)),
    Case(set_up_and_pairs, "O(n^2)", TINY),
    Case(wait_for_each, "O(n)", SMALL),
    Case(wait_for_pairs, "O(n^2)", TINY),
    Case(wait_once, "O(1)", SMALL),
    Case(fibonacci, "O(2^n)", FEW, int),
    Case(subset_sums, "O(2^n)", FEW),
    Case(hanoi, "O(2^n)", FEW, int),
)


def superlinear(growth: str) -> bool:
    return growth not in ("O(1)", "O(log n)", "O(n)", "unknown")


def observed(truth: str, rng: random.Random) -> list[tuple[float, float]]:
    """Make up what production sees: sizes as they come, costs with noise and stalls."""
    power = {"O(1)": 0.0, "O(n)": 1.0, "O(n^2)": 2.0}[truth]
    pairs = []
    for _ in range(500):
        size = float(round(10.0 * rng.paretovariate(0.6)))
        cost = 2e-5 + 1e-7 * size**power
        stall = rng.expovariate(1.0) * 0.01 if rng.random() < 0.03 else 0.0
        pairs.append((min(size, 3000.0), cost * rng.lognormvariate(0.0, 0.3) + stall))
    return [(size, cost) for size, cost in pairs if size < 3000.0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--load", action="store_true", help="with a process that comes and goes")
    arguments = parser.parse_args()
    load = background_load(random.Random(1), stretch_s=(0.2, 2.0), limit_s=600.0)
    rows, right, called, truly, hits = [], 0, 0, 0, 0
    with load if arguments.load else nullcontext():
        for case in CASES * arguments.rounds:
            if arguments.only not in case.name:
                continue
            started = time.perf_counter()
            got = estimate_complexity(case.func, case.sizes, make_input=case.make_input)
            took_s = time.perf_counter() - started
            right += got.growth == case.truth
            called += superlinear(got.growth)
            truly += superlinear(case.truth)
            hits += superlinear(got.growth) and superlinear(case.truth)
            mark = "" if got.growth == case.truth else "<--"
            shown = f"{got.exponent:.2f} ({got.interval[0]:.2f}-{got.interval[1]:.2f})"
            rows.append(
                [
                    case.name,
                    case.truth,
                    got.growth,
                    mark,
                    shown,
                    f"{got.confidence:.2f}",
                    f"{took_s:.1f}",
                ]
            )
            say(" ".join(map(str, rows[-1])))
    print(circumstances())
    print()
    print(table(["function", "truth", "named", "", "exponent", "confidence", "s"], rows))
    precision, recall = Share(hits, called), Share(hits, truly)
    print(f"\nclass right: {Share(right, len(rows))}")
    print(f"beyond a line: precision {precision}, recall {recall}")
    for truth in ("O(1)", "O(n)", "O(n^2)"):
        named = [
            complexity_of_observations(observed(truth, random.Random(seed))).growth
            for seed in range(200)
        ]
        answers = {growth: named.count(growth) for growth in sorted(set(named))}
        print(f"200 noisy observations of {truth}: {answers}")
    if min(precision.ratio, recall.ratio) < 0.9:
        sys.exit(1)


if __name__ == "__main__":
    main()
