import pytest

from perfwright.profiling.model import Frame, Function
from perfwright.profiling.sampling.states import standing_still


def stack(*places: tuple[str, str]) -> list[Frame]:
    return [Frame(Function(f"/lib/{file}", 1, name), 2) for file, name in places]


@pytest.mark.parametrize(
    "inner",
    [
        [("base_events.py", "BaseEventLoop._run_once"), ("selectors.py", "EpollSelector.select")],
        [("thread.py", "_worker")],
        [("threading.py", "Thread.join"), ("threading.py", "Thread._wait_for_tstate_lock")],
        [("socketserver.py", "BaseServer.serve_forever"), ("selectors.py", "PollSelector.select")],
        [("pool.py", "worker"), ("queue.py", "Queue.get"), ("threading.py", "Condition.wait")],
    ],
)
def test_a_thread_without_work_is_idle(inner: list[tuple[str, str]]) -> None:
    assert standing_still(stack(("app.py", "main"), *inner)) == "idle"


@pytest.mark.parametrize(
    "inner",
    [
        [("app.py", "nap")],
        [("app.py", "take"), ("queue.py", "Queue.get"), ("threading.py", "Condition.wait")],
        [("client.py", "ask"), ("socket.py", "SocketIO.readinto")],
        # A callback of a loop that blocks it.
        [("base_events.py", "BaseEventLoop._run_once"), ("app.py", "handler")],
    ],
)
def test_a_thread_whose_work_stands_still_is_waiting(inner: list[tuple[str, str]]) -> None:
    assert standing_still(stack(("app.py", "main"), *inner)) == "waiting"
