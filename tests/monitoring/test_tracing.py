"""`@trace` makes a span of each call and changes nothing else."""

from __future__ import annotations

import asyncio
import gc
import inspect
import types
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
from typing import Any

import pytest

from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.spans import Span, current
from perfwright.monitoring.tracing import get_monitor, set_monitor, suppressed, trace


@pytest.fixture
def monitor() -> Iterator[PerformanceMonitor]:
    made = PerformanceMonitor()
    before = set_monitor(made)
    yield made
    set_monitor(before)


def the_span(monitor: PerformanceMonitor) -> Span:
    [found] = monitor.traces()
    [span] = found.spans
    return span


def test_a_call_is_a_span_with_tags(monitor: PerformanceMonitor) -> None:
    @trace(operation="fetch_user", tags={"service": "user-api"})
    async def fetch_user(user_id: int) -> tuple[int, Span | None]:
        """Fetch."""
        await asyncio.sleep(0)
        return user_id, current()

    user_id, inside = asyncio.run(fetch_user(17))
    span = the_span(monitor)
    assert (user_id, inside) == (17, span)
    assert (span.name, span.tags) == ("fetch_user", {"service": "user-api"})
    assert inspect.iscoroutinefunction(fetch_user)
    assert (fetch_user.__name__, fetch_user.__doc__) == ("fetch_user", "Fetch.")


def test_tags_of_one_call_are_not_those_of_the_next(monitor: PerformanceMonitor) -> None:
    @trace(tags={"service": "api"})
    def work(number: int) -> None:
        span = current()
        assert span is not None
        span.add_tag("number", number)
        span.add_tag(f"only {number}", True)

    work(1)
    work(2)
    assert [each.spans[0].tags for each in monitor.traces()] == [
        {"service": "api", "number": 1, "only 1": True},
        {"service": "api", "number": 2, "only 2": True},
    ]


def test_without_a_name_the_function_gives_it(monitor: PerformanceMonitor) -> None:
    @trace
    def work() -> int:
        return 1

    assert work() == 1
    local = "test_without_a_name_the_function_gives_it.<locals>.work"
    assert monitor.operations() == [f"{__name__}.{local}"]


def test_methods_of_all_sorts_can_be_traced(monitor: PerformanceMonitor) -> None:
    class Cart:
        @trace("plain")
        def plain(self) -> Cart:
            return self

        @trace("of the class")
        @classmethod
        def of_the_class(cls) -> type[Cart]:
            return cls

        @staticmethod
        @trace("static")
        def static(number: int) -> int:
            return number

    cart = Cart()
    assert (cart.plain(), Cart.of_the_class(), cart.static(1)) == (cart, Cart, 1)
    assert monitor.operations() == ["plain", "of the class", "static"]


def test_an_exception_is_the_spans_error_and_goes_on(monitor: PerformanceMonitor) -> None:
    @trace("sync")
    def broken() -> None:
        raise ValueError("no")

    @trace("async")
    async def broken_async() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        broken()
    with pytest.raises(ValueError, match="no"):
        asyncio.run(broken_async())
    assert monitor.get_stats()["errors"] == {"sync": 1, "async": 1}
    assert current() is None


def test_a_cancelled_call_did_not_fail(monitor: PerformanceMonitor) -> None:
    @trace("wait")
    async def wait() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        async with asyncio.timeout(0.001):
            await wait()

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    span = the_span(monitor)
    assert span.error is None
    assert span.tags == {"interrupted": "CancelledError"}


def test_a_generator_is_current_only_while_it_runs(monitor: PerformanceMonitor) -> None:
    seen: list[Span | None] = []

    @trace("numbers")
    def numbers() -> Iterator[int]:
        for number in range(3):
            seen.append(current())
            yield number

    outside = [(number, current()) for number in numbers()]
    span = the_span(monitor)
    assert seen == [span] * 3
    assert outside == [(0, None), (1, None), (2, None)]
    assert monitor.get_stats()["misuse"] == {}
    assert inspect.isgeneratorfunction(numbers)


def test_a_generator_takes_values_exceptions_and_returns(monitor: PerformanceMonitor) -> None:
    @trace("echo")
    def echo() -> Iterator[object]:
        got: object = None
        while got != "end":
            try:
                got = yield got
            except KeyError as error:
                got = f"caught {error}"
        return "returned"  # type: ignore[return-value]

    talk = echo()
    assert next(talk) is None
    assert talk.send(5) == 5  # type: ignore[attr-defined]
    assert talk.throw(KeyError("x")) == "caught 'x'"  # type: ignore[attr-defined]
    with pytest.raises(StopIteration) as end:
        talk.send("end")  # type: ignore[attr-defined]
    assert end.value.value == "returned"
    assert the_span(monitor).error is None


def test_a_generator_that_is_left_early_is_finished(monitor: PerformanceMonitor) -> None:
    closed = []

    @trace("numbers")
    def numbers() -> Iterator[int]:
        try:
            yield 1
        finally:
            closed.append(True)

    talk = numbers()
    next(talk)
    talk.close()  # type: ignore[attr-defined]
    assert closed == [True]
    span = the_span(monitor)
    assert (span.error, span.tags) == (None, {"interrupted": "GeneratorExit"})


def test_a_generator_that_fails_has_failed(monitor: PerformanceMonitor) -> None:
    @trace("numbers")
    def numbers() -> Iterator[int]:
        yield 1
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(numbers())
    assert the_span(monitor).error == "ValueError: no"


def test_an_asynchronous_generator_is_traced_alike(monitor: PerformanceMonitor) -> None:
    seen: list[Span | None] = []

    @trace("rows")
    async def rows() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            seen.append(current())
            yield number

    async def main() -> list[tuple[int, Span | None]]:
        return [(row, current()) async for row in rows()]

    assert asyncio.run(main()) == [(0, None), (1, None), (2, None)]
    assert seen == [the_span(monitor)] * 3
    assert inspect.isasyncgenfunction(rows)
    assert monitor.get_stats()["misuse"] == {}


def test_an_asynchronous_generator_that_is_left_early_is_finished(
    monitor: PerformanceMonitor,
) -> None:
    closed = []

    @trace("rows")
    async def rows() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async def main() -> None:
        talk = rows()
        await anext(talk)
        await talk.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())
    assert closed == [True]
    assert the_span(monitor).tags == {"interrupted": "GeneratorExit"}


def test_nested_calls_are_one_trace(monitor: PerformanceMonitor) -> None:
    @trace("inner")
    async def inner() -> None:
        await asyncio.sleep(0)

    @trace("outer")
    async def outer() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(inner())

    asyncio.run(outer())
    [found] = monitor.traces()
    assert found.complete
    assert [span.name for span in found.spans] == ["outer", "inner", "inner", "inner"]


def test_a_given_monitor_is_used_instead_of_the_process_s_own(monitor: PerformanceMonitor) -> None:
    own = PerformanceMonitor()

    @trace("work", monitor=own)
    def work() -> None:
        pass

    work()
    assert (own.operations(), monitor.operations()) == (["work"], [])


def test_the_monitor_of_the_process_may_change_between_calls(monitor: PerformanceMonitor) -> None:
    @trace("work")
    def work() -> None:
        pass

    work()
    later = PerformanceMonitor()
    assert set_monitor(later) is monitor
    work()
    assert get_monitor() is later
    assert later.get_stats()["operations"]["work"]["count"] == 1
    assert monitor.get_stats()["operations"]["work"]["count"] == 1


def test_a_process_has_a_monitor_without_asking(monitor: PerformanceMonitor) -> None:
    set_monitor(None)
    assert get_monitor() is get_monitor()


def test_only_functions_can_be_traced() -> None:
    with pytest.raises(TypeError, match="its methods"):
        trace("cart")(dict)
    with pytest.raises(TypeError, match="name"):
        trace(5)  # type: ignore[call-overload]


def test_only_a_monitor_can_be_set() -> None:
    with pytest.raises(TypeError, match="PerformanceMonitor"):
        set_monitor("monitor")  # type: ignore[arg-type]


def test_a_disabled_monitor_leaves_calls_alone(monitor: PerformanceMonitor) -> None:
    @trace("work", tags={"k": 1})
    def work() -> Span | None:
        return current()

    monitor.enabled = False
    assert work() is None
    assert monitor.operations() == []


def parents(monitor: PerformanceMonitor) -> dict[str, str]:
    """Return the name of each span's parent by its own, of the only trace."""
    [found] = monitor.traces()
    names = {span.span_id: span.name for span in found.spans}
    return {span.name: names.get(span.parent_id, "") for span in found.spans}


def test_a_span_that_is_open_while_a_generator_waits_keeps_its_children(
    monitor: PerformanceMonitor,
) -> None:
    @trace("gen")
    def steps() -> Iterator[Span | None]:
        with monitor.span("inner"):
            yield current()
            with monitor.span("leaf"):
                yield current()
        with monitor.span("last"):
            pass

    outside = [current() for _ in steps()]
    assert outside == [None, None]
    assert parents(monitor) == {"gen": "", "inner": "gen", "leaf": "inner", "last": "gen"}
    assert monitor.get_stats()["misuse"] == {}


def test_a_span_that_is_open_while_an_asynchronous_generator_waits_keeps_its_children(
    monitor: PerformanceMonitor,
) -> None:
    @trace("gen")
    async def steps() -> AsyncIterator[Span | None]:
        with monitor.span("inner"):
            yield current()
            await asyncio.sleep(0)
            with monitor.span("leaf"):
                yield current()
        with monitor.span("last"):
            pass

    async def main() -> list[Span | None]:
        return [current() async for _ in steps()]

    assert asyncio.run(main()) == [None, None]
    assert parents(monitor) == {"gen": "", "inner": "gen", "leaf": "inner", "last": "gen"}
    assert monitor.get_stats()["misuse"] == {}


def test_what_a_generator_does_when_it_is_left_early_is_inside_its_open_span(
    monitor: PerformanceMonitor,
) -> None:
    @trace("gen")
    def steps() -> Iterator[int]:
        with monitor.span("inner"):
            try:
                yield 1
            finally:
                with monitor.span("leaf"):
                    pass

    talk = steps()
    next(talk)
    talk.close()  # type: ignore[attr-defined]
    assert parents(monitor) == {"gen": "", "inner": "gen", "leaf": "inner"}
    assert monitor.get_stats()["misuse"] == {}
    assert current() is None


def test_a_disabled_monitors_generator_leaves_other_monitors_alone(
    monitor: PerformanceMonitor,
) -> None:
    off = PerformanceMonitor(enabled=False)

    @trace("gen", monitor=off)
    def steps() -> Iterator[int]:
        with monitor.span("inside"):
            yield 1

    @trace("gen", monitor=off)
    async def steps_async() -> AsyncIterator[int]:
        with monitor.span("inside async"):
            yield 1

    async def main() -> list[int]:
        talk = steps_async()
        first = await anext(talk)
        await talk.aclose()  # type: ignore[attr-defined]
        return [first] + [number async for number in steps_async()]

    assert list(steps()) == [1]
    assert asyncio.run(main()) == [1, 1]
    counted = monitor.get_stats()["operations"]
    assert {name: each["count"] for name, each in counted.items()} == {
        "inside": 1,
        "inside async": 2,
    }


def test_a_generator_begun_while_its_monitor_was_disabled_sees_it_enabled(
    monitor: PerformanceMonitor,
) -> None:
    @trace("gen")
    def steps() -> Iterator[int]:
        for number in range(2):
            with monitor.span("step"):
                yield number

    monitor.enabled = False
    talk = steps()
    next(talk)
    monitor.enabled = True
    assert list(talk) == [1]
    assert monitor.operations() == ["step"]


def test_a_generator_makes_no_spans_where_that_is_suppressed(monitor: PerformanceMonitor) -> None:
    @trace("gen")
    def steps() -> Iterator[int]:
        with monitor.span("step"):
            yield 1

    with suppressed():
        assert list(steps()) == [1]
    assert monitor.operations() == []


class Caller:
    async def __call__(self, number: int) -> Span | None:
        await asyncio.sleep(0)
        if number < 0:
            raise ValueError("negative")
        return current()


def test_an_object_whose_call_is_a_coroutine_is_traced_to_its_end(
    monitor: PerformanceMonitor,
) -> None:
    call = trace("call")(Caller())
    assert inspect.iscoroutinefunction(call)
    assert asyncio.run(call(1)) is the_span(monitor)
    with pytest.raises(ValueError, match="negative"):
        asyncio.run(call(-1))
    assert monitor.get_stats()["errors"] == {"call": 1}


def test_a_function_that_returns_a_coroutine_is_traced_to_its_end(
    monitor: PerformanceMonitor,
) -> None:
    @trace("call")
    def call(number: int) -> Coroutine[None, None, Span | None]:
        return Caller()(number)

    async def main() -> Span | None:
        waiting = call(1)
        assert current() is None
        return await waiting

    assert asyncio.run(main()) is the_span(monitor)
    with pytest.raises(ValueError, match="negative"):
        asyncio.run(call(-1))
    assert monitor.get_stats()["errors"] == {"call": 1}
    assert monitor.get_stats()["misuse"] == {}


def test_a_method_of_a_type_written_in_c_can_be_traced(monitor: PerformanceMonitor) -> None:
    assert trace()(str.upper)("a") == "A"
    assert monitor.operations() == ["str.upper"]


def test_a_coroutine_made_of_a_generator_is_one_span(monitor: PerformanceMonitor) -> None:
    @trace("old")
    @types.coroutine
    def old() -> Generator[Any, None, str]:
        yield from asyncio.sleep(0).__await__()
        inside = current()
        assert inside is not None
        return inside.name

    async def main() -> str:
        return await old()

    assert asyncio.run(main()) == "old"
    assert the_span(monitor).finished


def test_a_function_that_returns_a_task_lasts_until_that_is_done(
    monitor: PerformanceMonitor,
) -> None:
    gate: list[asyncio.Event] = []

    async def work() -> int:
        await gate[0].wait()
        return 17

    @trace("started")
    def started(group: asyncio.TaskGroup) -> asyncio.Task[int]:
        return group.create_task(work())

    async def main() -> None:
        gate.append(asyncio.Event())
        async with asyncio.TaskGroup() as group:
            task = started(group)
            assert isinstance(task, asyncio.Task)
            assert current() is None
            await asyncio.sleep(0)
            assert monitor.get_stats()["spans"]["open"] == 1
            gate[0].set()
        assert task.result() == 17

    asyncio.run(main())
    assert (the_span(monitor).finished, the_span(monitor).error) == (True, None)


def test_a_future_that_fails_or_is_cancelled_says_so(monitor: PerformanceMonitor) -> None:
    told: list[str] = []

    @trace("future")
    def future() -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context["message"]))
        failing, cancelled = future(), future()
        failing.set_exception(ValueError("no such user"))
        cancelled.cancel()
        await asyncio.sleep(0)
        del failing
        gc.collect()

    asyncio.run(main())
    ended, failed = (each.spans[0] for each in monitor.traces())  # failed ones last
    assert failed.error == "ValueError: no such user"
    assert (ended.error, ended.tags) == (None, {"interrupted": "CancelledError"})
    assert told == ["Future exception was never retrieved"]  # as without `@trace`


class Request(Coroutine[Any, Any, str]):
    """As aiohttp's: to be awaited, or to be entered."""

    def send(self, _: object) -> Any:
        raise StopIteration("body")

    def throw(self, *_: object) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""

    def __await__(self) -> Any:
        return iter(())

    async def __aenter__(self) -> str:
        return "body"

    async def __aexit__(self, *_: object) -> None:
        return None


def test_what_can_be_entered_as_well_as_awaited_stays_so(monitor: PerformanceMonitor) -> None:
    @trace("request")
    def request() -> Request:
        return Request()

    async def main() -> str:
        async with request() as body:
            return body

    assert asyncio.run(main()) == "body"
    assert the_span(monitor).finished


def test_a_coroutine_of_another_kind_is_one_span(monitor: PerformanceMonitor) -> None:
    class Compiled(Coroutine[Any, Any, str]):
        """As Cython's."""

        def __init__(self) -> None:
            self._inner = self._run()

        async def _run(self) -> str:
            await asyncio.sleep(0)
            inside = current()
            assert inside is not None
            return inside.name

        def send(self, value: Any) -> Any:
            return self._inner.send(value)

        def throw(self, *error: Any) -> Any:
            return self._inner.throw(*error)

        def close(self) -> None:
            self._inner.close()

        def __await__(self) -> Generator[Any, None, str]:
            return self._inner.__await__()

    @trace("compiled")
    def compiled() -> Compiled:
        return Compiled()

    async def main() -> str:
        return await compiled()

    assert asyncio.run(main()) == "compiled"
    assert the_span(monitor).finished
