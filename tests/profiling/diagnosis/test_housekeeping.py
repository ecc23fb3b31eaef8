"""Threads that only wait, and those whose waits the run pays for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfwright.profiling.diagnosis.examples import Where, example
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.model import Profile

TEXT = """
    import os, select, threading, time
    def heartbeat():
        while True:
            time.sleep(0.2)
    def poller(sock):
        while True:
            select.select([sock], [], [], 0.3)
    def ticker(event):
        while not event.wait(0.1):
            flush()
    def watcher(child):
        child.wait()
    def converter(path):
        child = Popen(["convert", path])
        child.wait()
    def crawler(urls):
        for url in urls:
            time.sleep(0.01)
    def worker(jobs):
        while True:
            job = jobs.get()
            time.sleep(0.02)
    def server(requests):
        for request in requests:
            until_ready(request)
    def until_ready(request):
        while not request.ready:
            time.sleep(0.03)
    def main(rows):
        return hot(rows)
"""


def charged(*path: Where, thread: str = "Thread-1", beside: bool = True) -> list[str]:
    """Own functions that the waits of a thread are charged to, while `main` works or not."""
    waiting = example(TEXT, tuple(path), state="waiting")
    stacks = tuple(replace(stack, thread=thread) for stack in waiting.stacks)
    if beside:
        stacks += example(TEXT, ("return hot",)).stacks
    run = Run(replace(waiting, stacks=stacks))
    return [place.function.name for place in run.places if place.function.name != "main"]


CONDITION = ("threading.py", "Condition.wait")


@pytest.mark.parametrize(
    "path",
    [
        ("time.sleep(0.2)",),
        ("select.select",),
        ("event.wait", ("threading.py", "Event.wait"), CONDITION),
        ("child.wait()", ("subprocess.py", "Popen.wait"), ("subprocess.py", "Popen._try_wait")),
    ],
)
def test_a_thread_that_does_nothing_but_wait_costs_nothing(path: tuple[Where, ...]) -> None:
    assert charged(*path) == []


@pytest.mark.parametrize(
    ("path", "function"),
    [
        (("time.sleep(0.01)",), "crawler"),
        (("time.sleep(0.02)",), "worker"),
        (("until_ready(request)", "time.sleep(0.03)"), "until_ready"),
    ],
)
def test_a_thread_that_waits_for_each_piece_of_its_work_costs(
    path: tuple[Where, ...], function: str
) -> None:
    assert function in charged(*path)


def test_a_program_that_a_thread_starts_itself_is_its_work() -> None:
    text = TEXT.replace("def watcher(child):\n        child.wait()", "")
    waiting = example(text, ("child.wait()", ("subprocess.py", "Popen.wait")), state="waiting")
    stacks = tuple(replace(stack, thread="Thread-1") for stack in waiting.stacks)
    assert [p.function.name for p in Run(replace(waiting, stacks=stacks)).places] == ["converter"]


def test_a_main_thread_that_polls_costs_unless_others_work() -> None:
    path = ("time.sleep(0.2)",)
    assert charged(*path, thread="MainThread", beside=False) == ["heartbeat"]
    profile = example(TEXT, path, state="waiting")
    working = replace(example(TEXT, ("return hot",)).stacks[0], thread="Thread-2")
    both = Run(replace(profile, stacks=(*profile.stacks, working)))
    assert [place.function.name for place in both.places] == ["main"]


def test_a_thread_that_works_between_its_waits_costs() -> None:
    profile = example(TEXT, ("time.sleep(0.2)",), state="waiting")
    running = example(TEXT, ("return hot",)).stacks[0]
    stacks = tuple(replace(s, thread="Thread-1") for s in (*profile.stacks, running))
    run = Run(replace(profile, stacks=stacks))
    assert {place.function.name for place in run.places} == {"heartbeat", "main"}


def test_one_seen_while_it_woke_up_is_still_a_thread_that_waits() -> None:
    profile = example(TEXT, ("time.sleep(0.2)",), state="waiting")
    woken = replace(profile.stacks[0], state="running", wall_s=0.2, cpu_s=0.0001)
    beats = tuple(replace(s, thread="Thread-1") for s in (*profile.stacks, woken))
    stacks = (*beats, *example(TEXT, ("return hot",)).stacks)
    run = Run(replace(profile, stacks=stacks))
    place = next(p for p in run.places if p.function.name == "heartbeat")
    assert run.share(place.charged) < 0.01


def test_a_place_that_computes_lacks_a_processor_when_it_stands() -> None:
    text = "def seal(rows):\n    return digest_of(rows)\n"
    running = example(text, ("digest_of",)).stacks[0]
    standing = replace(running, state="waiting", wall_s=0.8, cpu_s=0.0)
    seconds = [s.seconds for s in Run(_of(text, running, standing)).samples]
    assert seconds == [1.0]
    slower = replace(standing, wall_s=9.0)
    assert len(Run(_of(text, running, slower)).samples) == 2


def _of(text: str, *stacks: object) -> Profile:
    return replace(example(text), stacks=stacks)  # type: ignore[arg-type]


@pytest.mark.parametrize(("limit", "functions"), [("", []), ("0.5", ["taken"])])
def test_who_waits_for_what_another_thread_hands_over_costs_nothing(
    limit: str, functions: list[str]
) -> None:
    text = f"""
        def taken(box, requests):
            for request in requests:
                box.ready.wait({limit})
    """
    path = ("box.ready.wait", ("threading.py", "Event.wait"), CONDITION)
    run = Run(example(text, path, state="waiting"))
    assert [place.function.name for place in run.places] == functions
