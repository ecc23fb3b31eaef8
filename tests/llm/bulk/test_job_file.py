from __future__ import annotations

import asyncio
import json
import logging
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfwright.core import JobError, ProviderDownError
from perfwright.llm import Completion, Request
from perfwright.llm.bulk import Progress, finished_of, run_batch, stream_batch
from perfwright.llm.bulk.records import completion_of, digest_of, record_of
from tests.llm.bulk.senders import USAGE, Sender, ask, asks


def go(sender: Sender, requests: Iterable[Request], job: Path, **options: Any) -> list[str]:
    """Run a job and return the texts of its answers."""
    results = asyncio.run(run_batch(sender, requests, job=job, return_exceptions=True, **options))
    return [r.text if isinstance(r, Completion) else type(r).__name__ for r in results]


ROOT = Path(__file__).parents[3]


def echoes(requests: Iterable[Request]) -> list[str]:
    return [f"echo {request.messages[0]['content']}" for request in requests]


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return tmp_path / "job.jsonl"


# --- Going on -------------------------------------------------------------------------------------


def test_what_was_answered_is_not_asked_again(job: Path) -> None:
    go(Sender(), asks(5), job)
    again = Sender()
    assert go(again, asks(8), job) == echoes(asks(8))
    assert again.asked == ["5", "6", "7"]


def test_an_answer_comes_back_with_everything_that_was_known_of_it(job: Path) -> None:
    go(Sender(), asks(1), job)
    (back,) = asyncio.run(run_batch(Sender(), asks(1), job=job))
    assert (back.text, back.model, back.finish_reason) == ("echo 0", "m-1", "stop")
    assert (back.usage, back.cost_usd, back.endpoint, back.cached) == (USAGE, 0.01, "e", False)


def test_what_failed_is_asked_again(job: Path) -> None:
    assert go(Sender(fails=frozenset({"1"})), asks(3), job)[1] == "ProviderDownError"
    again = Sender()
    assert go(again, asks(3), job) == echoes(asks(3))
    assert again.asked == ["1"]


def test_a_failure_is_written_for_people_to_read(job: Path) -> None:
    go(Sender(fails=frozenset({"0"})), asks(1), job)
    record = json.loads(job.read_text().splitlines()[1])
    assert record["error"] == "ProviderDownError"
    assert "no answer to 0" in record["problem"]


def test_prompts_are_not_in_the_file(job: Path) -> None:
    go(Sender(fails=frozenset({"hidden"})), [ask("hidden", user="someone")], job)
    records = [json.loads(line) for line in job.read_text().splitlines()]
    assert "messages" not in records[1]
    assert "someone" not in job.read_text()


def test_only_the_owner_may_read_the_file(job: Path) -> None:
    go(Sender(), asks(1), job)
    assert job.stat().st_mode & 0o777 == 0o600


def test_equal_requests_keep_an_answer_each(job: Path) -> None:
    samples = [ask("throw a die")] * 4
    count = iter(range(100))

    class Dice(Sender):
        async def __call__(self, request: Request) -> Completion:
            await super().__call__(request)
            return Completion(
                {"choices": [{"message": {"content": f"{next(count)}"}}]}, usage=USAGE
            )

    first = go(Dice(), samples, job)
    again = Dice()
    assert go(again, [*samples, ask("throw a die")], job)[:4] == first
    assert sorted(first) == ["0", "1", "2", "3"]
    assert len(again.asked) == 1


def test_a_job_in_another_order_is_the_same_job(job: Path) -> None:
    go(Sender(), asks(20), job)
    again, shuffled = Sender(), random.Random(1).sample(asks(20), 20)
    assert go(again, shuffled, job) == echoes(shuffled)
    assert again.asked == []


def test_asking_otherwise_is_another_request(job: Path) -> None:
    go(Sender(), [ask("a"), ask("b")], job)
    again = Sender()
    go(again, [ask("a"), ask("b", temperature=1.0)], job)
    assert again.asked == ["b"]


def test_whether_it_is_streamed_does_not_matter() -> None:
    streamed = ask("a", stream=True, stream_options={"include_usage": True})
    assert digest_of(streamed) == digest_of(ask("a"))


def test_the_order_of_a_bodys_fields_does_not_matter() -> None:
    body = {"temperature": 0, "messages": [{"content": "a", "role": "user"}], "model": "m"}
    assert digest_of(Request(body=body)) == digest_of(ask("a", temperature=0))


def test_iterators_go_on_as_well(job: Path) -> None:
    go(Sender(), iter(asks(3)), job)
    again = Sender()
    assert go(again, iter(asks(2_000)), job) == echoes(asks(2_000))
    assert len(again.asked) == 1_997


def test_requests_that_come_slowly_go_on_as_well(job: Path) -> None:
    async def later() -> AsyncIterator[Request]:
        for request in asks(4):
            yield request

    go(Sender(), asks(3), job)
    again = Sender()
    asyncio.run(run_batch(again, later(), job=job))
    assert again.asked == ["3"]


def test_a_stream_of_outcomes_goes_on_as_well(job: Path) -> None:
    go(Sender(), asks(3), job)
    again = Sender()

    async def collect() -> list[int]:
        return [index async for index, _ in stream_batch(again, asks(5), job=job)]

    assert sorted(asyncio.run(collect())) == [0, 1, 2, 3, 4]
    assert again.asked == ["3", "4"]


def test_a_stream_that_is_left_early_keeps_what_came(job: Path) -> None:
    async def leave() -> None:
        sender = Sender(delay_s=lambda text: 0.0 if text == "0" else 60.0)
        async with aclosing(stream_batch(sender, asks(3), job=job)) as results:
            await anext(results)

    asyncio.run(leave())
    again = Sender()
    go(again, asks(3), job)
    assert again.asked == ["1", "2"]


def test_progress_tells_what_came_from_the_file(job: Path) -> None:
    told: list[Progress] = []
    go(Sender(), asks(3), job)
    go(Sender(), asks(5), job, on_progress=told.append)
    assert (told[-1].done, told[-1].restored) == (5, 3)
    assert told[-1].cost_usd == pytest.approx(0.05)


def test_the_first_error_leaves_what_was_answered_in_the_file(job: Path) -> None:
    sender = Sender(delay_s=lambda text: 0.01 * float(text), fails=frozenset({"2"}))
    with pytest.raises(ProviderDownError) as caught:
        asyncio.run(run_batch(sender, asks(3), job=job))
    assert sorted(finished_of(caught.value)) == [0, 1]
    again = Sender()
    go(again, asks(3), job)
    assert again.asked == ["2"]


# --- After a crash --------------------------------------------------------------------------------


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_a_file_cut_anywhere_loses_its_torn_line_alone(data: st.DataObject) -> None:
    job = Path(FOLDER) / "cut.jsonl"
    job.unlink(missing_ok=True)
    go(Sender(), asks(6), job)
    whole = job.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    job.write_bytes(whole[:cut])
    left = max(whole[:cut].count(b"\n") - 1, 0)  # without the head
    again = Sender()
    assert go(again, asks(6), job) == echoes(asks(6))
    assert len(again.asked) == 6 - left
    third = Sender()
    assert go(third, asks(6), job) == echoes(asks(6))
    assert third.asked == []


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    global FOLDER  # noqa: PLW0603 -- Hypothesis would make a fixture's folder once, with a warning
    FOLDER = str(tmp_path_factory.mktemp("jobs"))


FOLDER = ""


def test_a_damaged_line_is_told_of_and_its_request_sent_again(
    job: Path, caplog: pytest.LogCaptureFixture
) -> None:
    go(Sender(), asks(3), job)
    lines = job.read_bytes().splitlines(keepends=True)
    lines[2] = b"\0" * 40 + b"\n"
    job.write_bytes(b"".join(lines))
    again = Sender()
    with caplog.at_level(logging.WARNING, logger="perfwright.llm"):
        assert go(again, asks(3), job) == echoes(asks(3))
    assert again.asked == ["1"]
    assert "passed over 1 damaged lines" in caplog.text


def test_a_cancelled_job_keeps_what_was_answered(job: Path) -> None:
    sender = Sender(delay_s=lambda text: 0.0 if int(text) < 4 else 60.0)

    async def cut_short() -> None:
        async with asyncio.timeout(0.2):
            await run_batch(sender, asks(8), job=job)

    with pytest.raises(TimeoutError):
        asyncio.run(cut_short())
    again = Sender()
    go(again, asks(8), job)
    assert again.asked == ["4", "5", "6", "7"]


# --- Files that cannot be used --------------------------------------------------------------------


@pytest.mark.parametrize("kind", [list, iter])
def test_the_file_of_another_job_is_refused(job: Path, kind: Any) -> None:
    go(Sender(), asks(3), job)
    before, sender = job.read_bytes(), Sender()
    with pytest.raises(JobError, match="another job's; name another file"):
        go(sender, kind([ask("x"), ask("y")]), job)
    assert (sender.asked, job.read_bytes()) == ([], before)


@pytest.mark.parametrize(
    "content", [b"{}\n", b"notes without an end of line", b'{"perfwright"', b"\0" * 99]
)
def test_a_file_that_is_no_job_is_left_as_it_is(job: Path, content: bytes) -> None:
    job.write_bytes(content)
    with pytest.raises(JobError, match="not a job file"):
        go(Sender(), asks(1), job)
    assert job.read_bytes() == content


def test_the_file_of_another_version_is_refused(job: Path) -> None:
    job.write_text('{"perfwright_job":99}\n')
    with pytest.raises(JobError, match="another version"):
        go(Sender(), asks(1), job)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"nowhere.job\.jsonl: cannot be opened: No such file"):
        go(Sender(), asks(1), tmp_path / "nowhere" / "job.jsonl")


def test_two_runs_cannot_write_one_file(job: Path) -> None:
    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            slow = Sender(delay_s=lambda _: 60.0)
            running = group.create_task(run_batch(slow, asks(2), job=job))
            await asyncio.sleep(0.05)
            try:
                await run_batch(Sender(), asks(2), job=job)
            finally:
                running.cancel()

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(both())
    assert "another run of this job is writing it" in str(caught.value.exceptions[0])


def test_a_finished_run_lets_go_of_its_file(job: Path) -> None:
    go(Sender(), asks(1), job)
    assert go(Sender(), asks(1), job) == ["echo 0"]


FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from perfwright.core import JobError
from perfwright.llm.bulk import finished_of, run_batch
from tests.llm.bulk.senders import Sender, asks

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
sender = Sender()
try:
    asyncio.run(run_batch(sender, asks(50), job=Path(sys.argv[1]), return_exceptions=True,
                          max_in_flight=1))
except JobError as error:
    print(len(finished_of(error)), error)
"""


def test_a_full_disk_ends_the_job_with_a_whole_file(job: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(job)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
    )
    done, _, problem = child.stdout.partition(" ")
    assert "make room, then run the same job again" in problem
    assert job.read_bytes().endswith(b"}\n")
    again = Sender()
    assert go(again, asks(50), job) == echoes(asks(50))
    assert len(again.asked) == 50 - int(done)


# --- Records --------------------------------------------------------------------------------------

texts = st.text(max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, json_values, max_size=4), st.none() | st.floats(0, 10), st.booleans())
def test_a_record_gives_the_completion_back(
    payload: dict[str, Any], cost_usd: float | None, cached: bool
) -> None:
    outcome = Completion(payload, usage=USAGE, cost_usd=cost_usd, cached=cached, endpoint="e")
    back = completion_of(json.loads(json.dumps(record_of(outcome))))
    assert (back, back.usage, back.cost_usd, back.cached) == (payload, USAGE, cost_usd, cached)
