"""Notices on their way: to the log, to functions, to real services through apprise."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ConfigError, ManualClock, MissingExtraError
from perfwright.monitoring.alerts import Alerts, Courier, Notice, Threshold
from perfwright.monitoring.alerts.delivery import shown
from perfwright.monitoring.alerts.lane import backoff_s

NOTICE = Notice(title="Alert: slow", body="page: p95 2 s", severity="warning", resolved=False)
SECRET = "s3cretTokenOfSomebody"


class Hook(ThreadingHTTPServer):
    """A local webhook that refuses the first `refusals` requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refusals = 0
        self.asked = 0
        self.bodies: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"json://user:{SECRET}@127.0.0.1:{self.server_port}/hooks/{SECRET}"


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        refused = self.server.asked <= self.server.refusals
        if not refused:
            self.server.bodies.append(json.loads(body))
        self.send_response(503 if refused else 200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def impatient(_: float) -> bool:
    """A wait that is over at once."""
    return False


# --- Apprise --------------------------------------------------------------------------------------


def test_a_real_webhook_gets_title_and_text(hook: Hook) -> None:
    courier = Courier(hook.url)
    courier.put(NOTICE)
    assert courier.close()
    (body,) = hook.bodies
    assert (body["title"], body["message"], body["type"]) == (
        "Alert: slow",
        "page: p95 2 s",
        "warning",
    )


def test_an_alert_of_a_rule_reaches_a_real_webhook(hook: Hook) -> None:
    clock = ManualClock()
    rule = Threshold(name="slow", operation="page", metric="max", above=0.5, min_count=1)
    alerts = Alerts(rules=[rule], deliver=hook.url, clock=clock)
    alerts.note("page", 2.0)
    alerts.evaluate()
    clock.now_s = 100
    alerts.note("page", 0.1)
    alerts.evaluate()
    assert alerts.close()
    assert [(body["title"], body["type"]) for body in hook.bodies] == [
        ("Alert: slow", "warning"),
        ("Resolved: slow", "success"),
    ]


def test_a_refused_notice_is_sent_again(hook: Hook) -> None:
    hook.refusals = 2
    courier = Courier(hook.url, wait=impatient)
    courier.put(NOTICE)
    assert courier.close()
    assert (courier.sent, courier.retried, courier.failed) == (1, 2, 0)
    assert len(hook.bodies) == 1


def test_after_the_last_attempt_it_is_given_up_and_counted(hook: Hook) -> None:
    hook.refusals = 99
    courier = Courier(hook.url, wait=impatient, attempts=3)
    courier.put(NOTICE)
    assert courier.close()
    assert (courier.sent, courier.retried, courier.failed) == (0, 2, 1)
    assert hook.asked == 3


def test_no_secret_of_an_address_is_ever_logged(
    hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hook.refusals = 1
    courier = Courier([hook.url, f"json://127.0.0.1:1/{SECRET}"], wait=impatient, attempts=2)
    courier.put(NOTICE)
    assert courier.close()
    assert (courier.sent, courier.failed) == (1, 1)
    assert "was not delivered to json://..." in caplog.text
    assert SECRET not in caplog.text


def test_an_error_of_a_service_that_quotes_its_address_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def post(_: Notice) -> None:
        raise OSError(f"cannot reach https://example.com/{SECRET}")

    Courier(post, inline=True, wait=impatient).put(NOTICE)
    assert "OSError" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "url", ["", "nonsense", "nosuchkind://a/b", f"slack://{SECRET}", "://", "json://"]
)
def test_an_address_that_apprise_cannot_use_is_refused_without_quoting_it(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConfigError, match="apprise cannot use") as caught:
        Courier(url)
    assert SECRET not in str(caught.value)
    assert SECRET not in caplog.text


def test_without_apprise_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(MissingExtraError, match=r"perfwright\[alerts\]"):
        Courier("json://127.0.0.1")


@given(st.text(max_size=40))
def test_of_an_address_only_its_kind_is_shown(rest: str) -> None:
    assert shown(f"slack://{rest}") == "slack://..."


# --- Other destinations ---------------------------------------------------------------------------


def test_a_function_gets_the_notice() -> None:
    got: list[Notice] = []
    courier = Courier(got.append)
    assert courier.put(NOTICE)
    assert courier.close()
    assert got == [NOTICE]


def test_an_async_function_is_run() -> None:
    got: list[Notice] = []

    async def tell(notice: Notice) -> None:
        got.append(notice)

    courier = Courier(tell)
    courier.put(NOTICE)
    assert courier.close()
    assert got == [NOTICE]


def test_an_object_that_sends_is_a_destination() -> None:
    class Pager:
        name = "pager"
        got: list[Notice] = []  # noqa: RUF012 - of this one test

        def send(self, notice: Notice) -> None:
            self.got.append(notice)

    Courier(Pager(), inline=True).put(NOTICE)
    assert Pager.got == [NOTICE]


def test_one_broken_destination_does_not_keep_notices_from_the_others() -> None:
    got: list[Notice] = []

    def broken(_: Notice) -> None:
        raise ValueError("broken")

    courier = Courier([broken, got.append, None], wait=impatient)
    courier.put(NOTICE)
    assert courier.close()
    assert got == [NOTICE]
    assert (courier.sent, courier.failed) == (2, 1)


@pytest.mark.parametrize("deliver", [42, b"json://x", [None, 3.5]])
def test_what_is_no_destination_is_refused(deliver: Any) -> None:
    with pytest.raises(ConfigError, match="deliver"):
        Courier(deliver)


# --- The queue ------------------------------------------------------------------------------------


def test_a_full_queue_drops_what_comes_and_counts_it() -> None:
    go = threading.Event()
    got: list[str] = []

    def slow(notice: Notice) -> None:
        go.wait(10)
        got.append(notice.title)

    courier = Courier(slow, max_waiting=2)
    accepted = [courier.put(NOTICE) for _ in range(10)]
    go.set()
    assert courier.close()
    assert len(got) == sum(accepted) <= 3
    assert courier.dropped == 10 - sum(accepted)


def test_closing_does_not_wait_longer_than_it_may() -> None:
    go = threading.Event()
    courier = Courier(lambda _: go.wait(10))
    courier.put(NOTICE)
    courier.put(NOTICE)
    started_s = time.perf_counter()
    assert not courier.close(timeout_s=0.05)
    assert time.perf_counter() - started_s < 5
    go.set()
    assert courier.dropped >= 1


def test_a_destination_that_fails_or_hangs_delays_no_other() -> None:
    let_go, told = threading.Event(), threading.Event()

    def hanging(_: Notice) -> None:
        let_go.wait(30)

    def dead(_: Notice) -> None:
        raise OSError("nobody is there")

    courier = Courier(
        [hanging, dead, lambda _: told.set()], attempts=2, wait=lambda _: let_go.wait(30)
    )
    courier.put(NOTICE)
    assert told.wait(10)
    began_s = time.perf_counter()
    assert not courier.flush(0.3)
    assert not courier.close(0.3)
    assert time.perf_counter() - began_s < 3
    assert (courier.sent, courier.failed, courier.dropped) == (1, 2, 0)
    let_go.set()


def test_what_one_destination_has_no_room_for_reaches_the_others() -> None:
    let_go = threading.Event()
    got: list[Notice] = []
    courier = Courier([lambda _: let_go.wait(30), got.append], max_waiting=3)
    for count in range(1, 11):
        courier.put(NOTICE)
        while len(got) < count:
            time.sleep(0.001)
    assert courier.dropped >= 6
    let_go.set()
    assert courier.close()


def test_closing_ends_a_retry_that_waits() -> None:
    def broken(_: Notice) -> None:
        raise ValueError("broken")

    courier = Courier(broken, attempts=100)
    courier.put(NOTICE)
    assert not courier.close(timeout_s=0.05)
    assert courier.failed == 1


def test_what_comes_after_the_end_is_dropped() -> None:
    courier = Courier(lambda _: None)
    courier.close()
    assert not courier.put(NOTICE)
    assert courier.dropped == 1


def test_nothing_waits_for_a_thread_that_was_never_needed() -> None:
    courier = Courier()
    courier.put(NOTICE)
    assert courier.flush(0)
    assert all(thread.name != "perfwright-alerts" for thread in threading.enumerate())


@given(st.integers(1, 10_000), st.integers())
def test_waits_grow_to_a_bound(failures: int, seed: int) -> None:
    wait_s = backoff_s(failures, rng=random.Random(seed))
    assert 0.25 <= wait_s <= 60.0
    assert wait_s <= 0.5 * 2.0 ** min(failures - 1, 7)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # 3.12: threads and fork
def test_a_forked_child_delivers_by_a_thread_of_its_own(hook: Hook) -> None:
    courier = Courier(hook.url)
    courier.put(NOTICE)
    assert courier.flush()
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(10)
            courier.put(NOTICE)
            courier.close(5)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert courier.close()
    assert len(hook.bodies) == 2


def test_a_function_that_exits_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def leave(_: Notice) -> None:
        sys.exit(3)

    courier = Courier(leave)
    for _ in range(3):
        courier.put(NOTICE)
    assert courier.flush(5.0)
    assert courier.counts()["failed"] == 3
    assert "SystemExit" in caplog.text
    courier.close()
