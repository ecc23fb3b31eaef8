"""Awaits that could run together."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

import pytest

from perfwright.profiling.diagnosis.examples import FILE, example
from perfwright.profiling.diagnosis.source import ModuleSource
from perfwright.profiling.model import Async, AwaitSequence, AwaitStep, Function, TaskTimes
from tests.profiling.diagnosis.kinds.claims import claims


def confidences(
    text: str,
    *,
    counts: tuple[int, ...],
    waits_for: str = "Future",
    busy: float = 0.0,
    on_loop_s: float = 0.0,
    tasks: int = 1,
    open_s: float = 0.0,
    thread_at: str = "",
) -> list[float]:
    """How sure the rule is about the first coroutine of a program that awaited for a second.

    Args:
        text: Its source.
        counts: Of each await, in the order of the text.
        waits_for: The innermost await.
        busy: Part of the time in which the loop ran something else.
        on_loop_s: How long tasks held the loop, of which one second was on a CPU.
        tasks: How many there were of this coroutine.
        open_s: How long each of them was.
        thread_at: Where another thread computed meanwhile, if one did.
    """
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
            loop_busy_s=busy / len(counts),
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
    task = TaskTimes(
        function=sequence.function,
        tasks=tasks,
        steps=1,
        on_loop_s=on_loop_s,
        awaiting_s=tasks * open_s,
        longest_step_s=0.0,
    )
    records = Async(sequences=(sequence,), tasks=(task,))
    profile = replace(example(text, asyncio=records), cpu_s=1.0)
    if thread_at:
        computing = replace(example(text, (thread_at,)).stacks[0], thread="pool_0")
        profile = replace(profile, stacks=(computing,))
    found = claims("sequential_await", profile)
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
        async def begin(cache, mailer):
            await cache.warm_up()
            await mailer.connect()
    """
    assert confidences(text, counts=(1, 1)) == [0.4]


def test_effects_on_the_same_object_are_no_fault() -> None:
    text = """
        async def send(client):
            await client.connect()
            await client.publish()
    """
    assert confidences(text, counts=(1, 1)) == []


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


def test_only_what_can_overlap_is_told_of_a_chain() -> None:
    text = """
        async def page(client):
            token = await client.token()
            user = await client.user(token)
            posts = await client.posts(token)
            return user, posts
    """
    assert confidences(text, counts=(1, 1, 1)) == [0.8]


def test_a_guard_before_the_second_await_is_no_fault() -> None:
    text = """
        async def page(client):
            if not await client.allowed():
                return None
            return await client.rows()
    """
    assert confidences(text, counts=(1, 1)) == []


def test_the_first_mirror_that_answers_is_asked_for_in_turn() -> None:
    text = """
        async def load(mirrors):
            for mirror in mirrors:
                answer = await mirror.fetch()
                if answer.ok:
                    return answer
    """
    assert confidences(text, counts=(20,)) == []


def test_a_stop_that_does_not_depend_on_the_answer_leaves_turns_independent() -> None:
    text = """
        async def load(mirrors, stopped):
            for mirror in mirrors:
                keep(await mirror.fetch())
                if stopped.is_set():
                    break
    """
    assert confidences(text, counts=(20,)) == [0.8]


def test_chunks_that_go_down_one_stream_keep_their_order() -> None:
    text = """
        async def reply(response, chunks):
            for chunk in chunks:
                await response.write(chunk)
    """
    assert confidences(text, counts=(20,)) == []


def test_one_message_to_each_of_many_is_found() -> None:
    text = """
        async def announce(clients, news):
            for client in clients:
                await client.send(news)
    """
    assert confidences(text, counts=(20,)) == [0.65]


def test_a_flush_of_what_came_together_is_no_fault() -> None:
    text = """
        async def drain(rows, sink):
            for row in rows:
                sink.append(row)
                if len(sink) > 50:
                    kept = await emptied()
    """
    assert confidences(text, counts=(20,)) == []


def test_a_task_awaited_in_the_turn_that_began_it_gains_nothing() -> None:
    text = """
        async def crawl(urls):
            for url in urls:
                task = create_task(fetch(url))
                body = await task
                store(body)
    """
    assert confidences(text, counts=(20,)) == [0.8]


def test_tasks_that_were_all_begun_before_are_no_fault() -> None:
    text = """
        async def crawl(urls):
            tasks = [create_task(fetch(url)) for url in urls]
            for task in tasks:
                store(await task)
    """
    assert confidences(text, counts=(20,)) == []


def test_elements_of_a_stream_that_each_wait_for_an_answer_are_found() -> None:
    text = """
        async def named(rows, registry):
            async for row in rows:
                name = await registry.partner(row.account)
                yield row, name
    """
    assert confidences(text, counts=(20,)) == [0.7]


def test_a_driver_of_requests_that_are_slow_themselves_is_less_sure() -> None:
    text = """
        async def clerk(orders):
            for order in orders:
                answer = await dispatch(order)
                keep(answer)
        async def dispatch(order):
            return await release(order)
        async def release(order):
            lines = await order.lines()
            limit = await order.limit()
            return lines, limit
    """
    text = dedent(text)
    module = ModuleSource.parse(text, file=FILE)
    assert module is not None
    clerk, dispatch, release = (f.function for f in module.functions)
    awaits = {
        clerk: ((4, "dispatch", 20),),
        dispatch: ((7, "release", 20),),
        release: ((9, "lines", 20), (10, "limit", 20)),
    }
    sequences = tuple(
        AwaitSequence(
            function=function,
            calls=1 if function == clerk else 20,
            awaits=tuple(
                AwaitStep(
                    line=line,
                    column=0,
                    awaited=awaited,
                    waits_for="Future",
                    count=count,
                    total_s=1.0 / len(steps),
                    longest_s=0.05,
                    loop_busy_s=0.0,
                )
                for line, awaited, count in steps
            ),
            awaiting_s=1.0,
            overlap_s=0.9 if function == clerk else 0.5,
            open_s=1.0,
        )
        for function, steps in awaits.items()
    )
    found = claims("sequential_await", example(text, asyncio=Async(sequences=sequences)))
    sure = {claim.function.name: claim.confidence for claim in found}
    assert sure["release"] == 0.8
    assert sure["clerk"] < 0.5


def test_a_loop_that_is_slow_as_the_machine_is_busy_still_waits() -> None:
    text = """
        async def crawl(client, urls):
            for url in urls:
                body = await client.fetch(url)
                store(body)
    """
    assert confidences(text, counts=(20,), busy=0.7) == []
    assert confidences(text, counts=(20,), busy=0.7, on_loop_s=6.0) == [0.8]
    assert confidences(text, counts=(20,), busy=0.99, on_loop_s=6.0) == []


def test_threads_that_compute_gain_nothing_from_one_another() -> None:
    text = """
        import asyncio
        async def pack(files):
            for file in files:
                keep(await asyncio.to_thread(squeeze, file))
        def squeeze(file):
            return zipped(file)
    """
    assert confidences(text, counts=(20,)) == [0.8]
    assert confidences(text, counts=(20,), thread_at="return zipped") == []


def test_a_worker_beside_others_is_less_sure_than_a_handler() -> None:
    text = """
        async def serve(orders):
            for order in orders:
                keep(await ask(order))
    """
    assert confidences(text, counts=(20,), tasks=4, open_s=0.9) == [pytest.approx(0.44)]
    assert confidences(text, counts=(20,), tasks=4, open_s=0.1) == [0.8]
