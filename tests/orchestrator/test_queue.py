"""The queue decides purely: who may start now."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from perfwright.orchestrator import EXCLUSIVE, Load, Task
from perfwright.orchestrator.queue import TaskQueue

CPU, DATABASE = frozenset({Load.CPU}), frozenset({Load.DATABASE})


def task(
    name: str, *, loads: frozenset[Load] = frozenset(), gain: float = 0.0, cost: float = 1.0
) -> Task:
    return Task(name=name, function=print, loads=loads, gain=gain, cost=cost)


def queue_of(*tasks: Task, capacity: int = 2) -> TaskQueue:
    queue = TaskQueue(capacity=capacity)
    queue.add(tasks)
    return queue


def test_the_best_gain_per_cost_starts_first() -> None:
    dear, cheap = task("dear", gain=9.0, cost=9.0), task("cheap", gain=4.0, cost=2.0)
    assert queue_of(dear, cheap).start_next() is cheap


def test_equal_priorities_keep_their_order() -> None:
    first, second = task("first"), task("second")
    queue = queue_of(first, second)
    assert [queue.start_next(), queue.start_next()] == [first, second]


def test_two_tasks_on_one_resource_do_not_run_at_once() -> None:
    queue = queue_of(task("a", loads=CPU), task("b", loads=CPU))
    queue.start_next()
    assert queue.start_next() is None


def test_tasks_on_different_resources_run_side_by_side() -> None:
    queue = queue_of(task("a", loads=CPU), task("b", loads=DATABASE))
    assert queue.start_next() is not None
    assert queue.start_next() is not None


def test_an_exclusive_task_runs_alone() -> None:
    queue = queue_of(task("experiment", loads=EXCLUSIVE), task("probe", loads=DATABASE))
    queue.start_next()
    assert queue.start_next() is None


def test_no_more_tasks_run_than_the_capacity() -> None:
    queue = queue_of(task("a"), task("b"), task("c"), capacity=2)
    queue.start_next()
    queue.start_next()
    assert queue.start_next() is None


def test_a_finished_task_frees_its_resource() -> None:
    first, second = task("a", loads=CPU), task("b", loads=CPU)
    queue = queue_of(first, second)
    queue.start_next()
    queue.finish(first)
    assert queue.start_next() is second


def test_a_waiting_task_is_not_overtaken_on_its_resource() -> None:
    running = task("running", loads=CPU, gain=3.0)
    waiting = task("waiting", loads=CPU | DATABASE, gain=2.0)
    late = task("late", loads=DATABASE, gain=1.0)
    queue = queue_of(running, waiting, late)
    queue.start_next()
    assert queue.start_next() is None  # `late` would make `waiting` wait longer


def test_a_task_on_a_resource_that_nobody_waits_for_goes_ahead() -> None:
    running, waiting = task("running", loads=CPU, gain=3.0), task("waiting", loads=CPU, gain=2.0)
    free = task("free", loads=DATABASE, gain=1.0)
    queue = queue_of(running, waiting, free)
    queue.start_next()
    assert queue.start_next() is free


def test_an_empty_queue_is_done() -> None:
    assert queue_of().done


def test_a_queue_with_a_running_task_is_not_done() -> None:
    queue = queue_of(task("a"))
    queue.start_next()
    assert not queue.done


LOADS = st.frozensets(st.sampled_from(Load))


@given(
    loads=st.lists(LOADS, max_size=12),
    capacity=st.integers(1, 4),
    choice=st.randoms(use_true_random=False),
)
def test_every_task_runs_once_whatever_ends_first(
    loads: list[frozenset[Load]], capacity: int, choice: random.Random
) -> None:
    tasks = [task(str(n), loads=each, gain=n % 3) for n, each in enumerate(loads)]
    queue = queue_of(*tasks, capacity=capacity)
    running: list[Task] = []
    ran: list[Task] = []
    while not queue.done:
        while (started := queue.start_next()) is not None:
            assert all(started.loads.isdisjoint(other.loads) for other in running)
            running.append(started)
            ran.append(started)
        assert running  # else nothing could ever go on
        assert len(running) <= capacity
        ended = running.pop(choice.randrange(len(running)))
        queue.finish(ended)
    assert sorted(map(id, ran)) == sorted(map(id, tasks))
