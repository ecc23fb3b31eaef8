"""Awaits that could run together."""

from __future__ import annotations

from textwrap import dedent

from perfwright.profiling.diagnosis.examples import FILE, example
from perfwright.profiling.diagnosis.source import ModuleSource
from perfwright.profiling.model import Async, AwaitSequence, AwaitStep, Function
from tests.profiling.diagnosis.kinds.claims import claims


def confidences(text: str, *, counts: tuple[int, ...], waits_for: str = "Future") -> list[float]:
    """How sure the rule is about the first coroutine of a program that awaited for a second."""
    text = dedent(text)
    module = ModuleSource.parse(text, file=FILE)
    assert module is not None
    source = module.functions[0]
    lines = [i for i, line in enumerate(text.splitlines(), 1) if "await " in line]
    awaits = tuple(
        AwaitStep(
            line=line,
            column=0,
            awaited="fetch",
            waits_for=waits_for,
            count=count,
            total_s=1.0 / len(counts),
            longest_s=0.1,
            loop_busy_s=0.0,
        )
        for line, count in zip(lines, counts, strict=True)
    )
    sequence = AwaitSequence(
        function=Function(FILE, source.first_line, source.name),
        calls=1,
        awaits=awaits,
        awaiting_s=1.0,
        overlap_s=0.9,
        open_s=1.0,
    )
    found = claims("sequential_await", example(text, asyncio=Async(sequences=(sequence,))))
    return [claim.confidence for claim in found]


def test_a_loop_over_independent_elements_is_found() -> None:
    text = """
        async def crawl(client, urls):
            for url in urls:
                body = await client.fetch(url)
                store(body)
    """
    assert confidences(text, counts=(20,)) == [0.8]


def test_pages_that_need_the_token_of_the_last_one_are_no_fault() -> None:
    text = """
        async def pages(client, urls):
            token = None
            for url in urls:
                token = await client.fetch(url, token)
    """
    assert confidences(text, counts=(20,)) == []


def test_a_second_await_that_needs_the_first_is_no_fault() -> None:
    text = """
        async def page(client):
            user = await client.fetch("user")
            rows = await client.rows(user)
            return rows
    """
    assert confidences(text, counts=(1, 1)) == []


def test_awaits_for_effect_alone_are_not_called_sure() -> None:
    text = """
        async def send(client):
            await client.connect()
            await client.publish()
    """
    assert confidences(text, counts=(1, 1)) == [0.4]


def test_polling_in_a_while_loop_is_no_fault() -> None:
    text = """
        async def poll(client):
            while True:
                await client.fetch()
    """
    assert confidences(text, counts=(20,)) == []


def test_waiting_for_a_queue_is_no_fault() -> None:
    text = """
        async def consume(queue, names):
            for name in names:
                item = await queue.get()
    """
    assert confidences(text, counts=(20,), waits_for="Queue.get") == []


def test_pauses_on_purpose_are_no_fault() -> None:
    text = """
        import asyncio
        async def pace(names):
            for name in names:
                await asyncio.sleep(0.1)
    """
    assert confidences(text, counts=(20,), waits_for="sleep") == []
