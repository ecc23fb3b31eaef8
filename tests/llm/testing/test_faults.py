from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from perfwright.core import ConfigError, PerfwrightError
from perfwright.llm.testing import SimulatedProvider
from tests.llm.testing.asking import chat, get, post

PATH = "/chat/completions"


@pytest.fixture
def provider(shared: SimulatedProvider) -> SimulatedProvider:
    """The shared one, as new."""
    fresh = SimulatedProvider(seed=1).settings
    shared.set(**{name: getattr(fresh, name) for name in fresh.__slots__})
    shared.reset_counts()
    return shared


def test_the_bucket_admits_its_burst_and_no_more(provider: SimulatedProvider) -> None:
    provider.set(requests_per_s=0.01, burst=3)
    statuses = [post(provider, PATH, chat()).status for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert provider.counts()["by_status"] == {"200": 3, "429": 2}


def test_tokens_are_limited_too(provider: SimulatedProvider) -> None:
    provider.set(tokens_per_s=0.01, tokens_burst=40)
    assert [post(provider, PATH, chat()).status for _ in range(3)] == [200, 200, 429]


def test_limits_are_announced_per_minute(provider: SimulatedProvider) -> None:
    provider.set(requests_per_s=0.5, burst=3)
    headers = post(provider, PATH, chat()).headers
    assert headers["x-ratelimit-limit-requests"] == "30"
    assert headers["x-ratelimit-remaining-requests"] == "2"  # this call is counted


def test_headers_of_limits_can_be_left_out(provider: SimulatedProvider) -> None:
    provider.set(requests_per_s=10, rate_headers=False, retry_after="none")
    headers = post(provider, PATH, chat()).headers
    assert not [name for name in headers if "ratelimit" in name or "retry" in name]


def test_a_refusal_says_when_to_come_back(provider: SimulatedProvider) -> None:
    provider.set(requests_per_s=0.1, burst=1)
    post(provider, PATH, chat())
    shown = {}
    for form in ("s", "fraction", "ms", "date"):
        provider.set(retry_after=form)
        shown[form] = post(provider, PATH, chat()).headers
    assert int(shown["s"]["retry-after"]) in (9, 10)
    assert 8.0 < float(shown["fraction"]["retry-after"]) <= 10.0
    assert 8_000 < int(shown["ms"]["retry-after-ms"]) <= 10_000
    assert (
        5.0 < parsedate_to_datetime(shown["date"]["retry-after"]).timestamp() - time.time() < 12.0
    )


def test_errors_come_in_the_share_asked_for(provider: SimulatedProvider) -> None:
    provider.set(error_ratio=0.3, error_statuses=(500, 529))
    statuses = [post(provider, PATH, chat()).status for _ in range(200)]
    failed = sum(status in (500, 529) for status in statuses)
    assert {200, 500, 529} == set(statuses)
    assert 30 <= failed <= 90
    assert provider.counts()["faults"]["error"] == failed


def test_a_marked_prompt_is_refused_each_time(provider: SimulatedProvider) -> None:
    assert [post(provider, PATH, chat("[refuse]")).status for _ in range(2)] == [400, 400]


def test_a_wrong_key_is_not_let_in(provider: SimulatedProvider) -> None:
    provider.set(api_keys=["right"])
    right, wrong = ({"authorization": f"Bearer {key}"} for key in ("right", "wrong"))
    assert post(provider, PATH, chat(), headers=right).status == 200
    assert post(provider, PATH, chat(), headers=wrong).status == 401
    assert get(provider, "/models").status == 401
    assert get(provider, "/models", headers={"x-api-key": "right"}).status == 200


def test_a_truncated_body_has_a_good_status_with_half_of_the_json(
    provider: SimulatedProvider,
) -> None:
    provider.set(truncate_ratio=1.0)
    answer = post(provider, PATH, chat())
    assert answer.status == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json  # noqa: B018
    assert provider.counts()["undelivered"]["calls"] == 1


def test_a_cut_stream_breaks_off_half_way(provider: SimulatedProvider) -> None:
    provider.set(cut_ratio=1.0)
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        post(provider, PATH, chat(stream=True))
    assert provider.counts()["answered"] == 0


def test_a_reset_leaves_no_answer(provider: SimulatedProvider) -> None:
    provider.set(reset_ratio=1.0)
    with pytest.raises(ConnectionResetError):
        post(provider, PATH, chat())


def test_a_client_that_gives_up_is_counted(provider: SimulatedProvider) -> None:
    provider.set(hang_ratio=1.0)
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=0.1)
    connection.request("POST", f"/v1{PATH}", body=json.dumps(chat()))
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    deadline = time.monotonic() + 5.0
    while provider.counts()["aborted"] != 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    counts = provider.counts()
    assert (counts["aborted"], counts["in_flight"]) == (1, 0)


def test_nobody_listens_while_it_is_down(provider: SimulatedProvider) -> None:
    provider.set(down=True)
    with pytest.raises(ConnectionRefusedError):
        post(provider, PATH, chat())
    provider.set(down=False)
    assert post(provider, PATH, chat()).status == 200


def test_an_outage_can_be_a_status(provider: SimulatedProvider) -> None:
    provider.set(down=True, outage="status")
    assert post(provider, PATH, chat()).status == 503


def test_latency_is_as_asked_for(provider: SimulatedProvider) -> None:
    provider.set(latency_s=0.5)
    with ThreadPoolExecutor(8) as pool:
        start = time.perf_counter()
        answers = list(pool.map(lambda _: post(provider, PATH, chat()), range(8)))
        took_s = time.perf_counter() - start
    assert all(answer.status == 200 for answer in answers)
    assert 0.5 <= took_s < 4.0  # together, not one after the other
    assert provider.counts()["max_in_flight"] >= 2


def test_a_stream_keeps_its_pace(provider: SimulatedProvider) -> None:
    provider.set(token_delay_s=0.01, completion_tokens=10)
    start = time.perf_counter()
    assert post(provider, PATH, chat(stream=True)).events[-1] == "[DONE]"
    assert time.perf_counter() - start >= 0.1


@pytest.mark.parametrize(
    ("name", "value"),
    [("latency_s", -1), ("error_ratio", 1.5), ("outage", "so-so"), ("speed", 1), ("burst", "few")],
)
def test_a_setting_that_cannot_be_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        SimulatedProvider(**{name: value})


def test_it_says_so_when_it_does_not_run() -> None:
    with pytest.raises(PerfwrightError, match="does not run"):
        SimulatedProvider().counts()


def test_it_works_in_an_async_block() -> None:
    async def main() -> dict[str, object]:
        async with SimulatedProvider() as provider:
            await asyncio.to_thread(post, provider, PATH, chat())
            return provider.counts()

    assert asyncio.run(main())["answered"] == 1


def test_it_ends_with_the_process_that_started_it() -> None:
    program = (
        "from perfwright.llm.testing import SimulatedProvider as P\n"
        "p = P().start()\nprint(p.pid, flush=True)\ninput()"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    starter.send_signal(signal.SIGKILL)
    starter.communicate(timeout=10)
    deadline = time.monotonic() + 5.0
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
        return stat.read().rpartition(")")[2].split()[0] != "Z"
