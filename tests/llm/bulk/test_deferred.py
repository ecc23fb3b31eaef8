from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from perfwright.core import (
    ConfigError,
    JobError,
    ManualClock,
    ProviderDownError,
    ProviderRefusedError,
)
from perfwright.llm import Api, Completion, Request, Usage
from perfwright.llm.bulk import DeferredBatch, Progress
from perfwright.llm.bulk.batch_apis import BatchItem
from tests.llm.bulk.senders import Sender, answer, ask, asks


class Batches:
    """A provider's batches, done `takes_s` after they were sent."""

    def __init__(self, clock: ManualClock, *, takes_s: float = 100.0, **limits: int) -> None:
        self._clock, self.takes_s = clock, takes_s
        self.max_requests = limits.get("max_requests", 1_000)
        self.max_bytes = limits.get("max_bytes", 10**9)
        self.sent: dict[str, list[str]] = {}
        self.prompts: dict[str, str] = {}
        self.cancelled: list[str] = []
        self.polls = 0
        self.fails: dict[str, BatchItem] = {}
        self.error: Exception | None = None
        self._ready_s: dict[str, float] = {}

    def kind_of(self, request: Request) -> str:
        return f"{request.api} {request.model}" if request.api is not Api.RESPONSES else ""

    def line(self, name: str, request: Request) -> bytes:
        self.prompts[name] = str(request.messages[-1]["content"])
        return msgspec.json.encode([name, request.body])

    async def submit(self, lines: Sequence[bytes], *, kind: str) -> str:
        if self.error is not None:
            raise self.error
        name = f"batch-{len(self.sent)}"
        self.sent[name] = [msgspec.json.decode(line)[0] for line in lines]
        self._ready_s[name] = self._clock.now() + self.takes_s
        return name

    async def is_over(self, name: str) -> bool:
        self.polls += 1
        if self.error is not None:
            raise self.error
        return self._clock.now() >= self._ready_s[name]

    async def items(self, name: str, *, api: Mapping[str, Api]) -> list[BatchItem]:
        found = []
        for each in reversed(self.sent[name]):
            prompt = self.prompts[each]
            done = BatchItem(name=each, payload=dict(answer(f"batched {prompt}")))
            failing = self.fails.get(prompt)
            if failing is not None:
                done = BatchItem(name=each, payload=None, status=failing.status, problem="why")
            found.append(done)
        return found

    async def cancel(self, name: str) -> None:
        self.cancelled.append(name)


def failure(status: int | None) -> BatchItem:
    return BatchItem(name="", payload=None, status=status)


class Scene:
    """A deferred batch on a clock that waiting moves."""

    def __init__(self, *, takes_s: float = 100.0, declared_s: float = 600.0, **limits: int) -> None:
        self.clock = ManualClock()
        self.batches = Batches(self.clock, takes_s=takes_s, **limits)
        self.direct = Sender()
        self.booked: list[dict[str, Any]] = []
        self.made = DeferredBatch(
            self.direct,
            base_url="http://127.0.0.1:9/v1",
            api=self.batches,
            book=self._book,
            declared_s=declared_s,
            clock=self.clock,
        )

    def run(self, requests: Sequence[Request], **options: Any) -> list[str]:
        outcomes = asyncio.run(self.made.run(requests, **options))
        return [o.text if isinstance(o, Completion) else type(o).__name__ for o in outcomes]

    def _book(self, usage: Usage, **facts: Any) -> float:
        self.booked.append({"tokens": usage.total_tokens, **facts})
        return 0.5


# --- Through batches ------------------------------------------------------------------------------


def test_a_far_deadline_is_answered_by_batches() -> None:
    scene = Scene()
    assert scene.run(asks(5), deadline_s=3_600.0) == [f"batched {n}" for n in range(5)]
    assert scene.direct.asked == []
    assert scene.made.last is not None
    assert scene.made.last.deferred


def test_a_near_deadline_is_answered_directly() -> None:
    scene = Scene()
    assert scene.run(asks(3), deadline_s=60.0) == ["echo 0", "echo 1", "echo 2"]
    assert scene.batches.sent == {}
    assert scene.made.last is not None
    assert "too little is left" in scene.made.last.reason


def test_batches_keep_the_providers_number_of_requests() -> None:
    scene = Scene(max_requests=4)
    assert scene.run(asks(10)) == [f"batched {n}" for n in range(10)]
    assert [len(names) for names in scene.batches.sent.values()] == [4, 4, 2]


def test_batches_keep_the_providers_size() -> None:
    scene = Scene(max_bytes=1_000)
    scene.run([ask("x" * 300) for _ in range(5)])
    assert [len(names) for names in scene.batches.sent.values()] == [2, 2, 1]


def test_models_do_not_share_a_batch() -> None:
    scene = Scene()
    scene.run([ask("a"), ask("b", model="other"), ask("c")])
    assert sorted(len(names) for names in scene.batches.sent.values()) == [1, 2]


def test_equal_requests_are_answered_each() -> None:
    scene = Scene()
    assert scene.run([ask("a")] * 3) == ["batched a"] * 3
    assert len(set(scene.batches.sent["batch-0"])) == 3


def test_what_no_batch_can_hold_goes_directly() -> None:
    scene = Scene()
    other = Request(api=Api.RESPONSES, body=ask("b").body)
    assert scene.run([ask("a"), other]) == ["batched a", "echo b"]


def test_what_no_batch_can_hold_does_not_wait_for_one() -> None:
    scene, asked_s = Scene(takes_s=500.0), []

    class Timed(Sender):
        async def __call__(self, request: Request) -> Completion:
            asked_s.append(scene.clock.now())
            return await super().__call__(request)

    scene.made._send = Timed()
    scene.run([ask("a"), Request(api=Api.RESPONSES, body=ask("b").body)])
    assert asked_s == [0.0]


def test_a_batch_that_is_lost_is_answered_directly(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()

    async def unknown(name: str) -> bool:
        raise ProviderRefusedError(endpoint="e", problem="no such batch", status=404)

    scene.batches.is_over = unknown  # type: ignore[method-assign]
    assert scene.run(asks(2)) == ["echo 0", "echo 1"]
    assert "batch batch-0 is lost" in caplog.text


def test_answers_are_booked_at_the_price_of_a_batch() -> None:
    scene = Scene()
    (outcome,) = asyncio.run(scene.made.run([Request(body=ask("a").body, labels={"job": "x"})]))
    assert isinstance(outcome, Completion)
    assert outcome.cost_usd == 0.5
    expected = {"model": "m-1", "labels": {"job": "x"}, "batch": True, "endpoint": "default"}
    assert [facts | {"tokens": 0} for facts in scene.booked] == [expected | {"tokens": 0}]


def test_polls_become_rarer() -> None:
    scene = Scene(takes_s=36_000.0)
    scene.run(asks(1))
    assert 600 <= scene.batches.polls <= 700


def test_how_long_batches_take_is_learned() -> None:
    scene = Scene(takes_s=20.0, declared_s=3_600.0)
    assert not scene.made.decide(1, deadline_s=100.0).deferred
    for _ in range(3):
        scene.run(asks(1))
    assert scene.made.decide(1, deadline_s=100.0).deferred


def test_progress_counts_what_batches_answer() -> None:
    told: list[Progress] = []
    scene = Scene()
    scene.run(asks(4), on_progress=told.append)
    assert (told[-1].done, told[-1].total, told[-1].cost_usd) == (4, 4, 2.0)


# --- What a batch does not answer -----------------------------------------------------------------


def test_a_batch_that_is_late_is_cancelled_in_time_for_the_direct_way() -> None:
    scene = Scene(takes_s=10_000.0)
    assert scene.run(asks(80), deadline_s=1_000.0) == [f"echo {n}" for n in range(80)]
    assert scene.batches.cancelled == ["batch-0"]
    assert scene.clock.now() == pytest.approx(1_000.0 - 1.25 * 80 / 10.0)


def test_what_a_cancelled_batch_has_answered_is_kept() -> None:
    scene = Scene(takes_s=10_000.0)

    async def cancel(name: str) -> None:
        scene.batches._ready_s[name] = 0.0
        scene.batches.fails["1"] = failure(None)

    scene.batches.cancel = cancel  # type: ignore[method-assign]
    assert scene.run(asks(3), deadline_s=1_000.0) == ["batched 0", "echo 1", "batched 2"]


def test_a_batch_that_cannot_be_cancelled_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene(takes_s=10_000.0)

    async def cancel(name: str) -> None:
        raise ProviderDownError(endpoint="e", problem="no", status=503)

    scene.batches.cancel = cancel  # type: ignore[method-assign]
    assert scene.run(asks(1), deadline_s=1_000.0) == ["echo 0"]
    assert "left to end by itself" in caplog.text


@pytest.mark.parametrize("status", [None, 429, 500])
def test_what_failed_for_a_time_goes_directly(status: int | None) -> None:
    scene = Scene()
    scene.batches.fails["1"] = failure(status)
    assert scene.run(asks(3)) == ["batched 0", "echo 1", "batched 2"]


def test_what_is_refused_is_not_sent_again() -> None:
    scene = Scene()
    scene.batches.fails["1"] = failure(400)
    assert scene.run(asks(3)) == ["batched 0", ProviderRefusedError.__name__, "batched 2"]
    assert scene.direct.asked == []


def test_a_provider_that_takes_no_batch_is_asked_directly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    scene.batches.error = ProviderDownError(endpoint="e", problem="no", status=503)
    assert scene.run(asks(2)) == ["echo 0", "echo 1"]
    assert "2 requests go the direct way" in caplog.text


def test_a_provider_that_does_not_answer_for_a_while_is_asked_again() -> None:
    scene = Scene(takes_s=10.0)

    class Shaky(ManualClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            down = ProviderDownError(endpoint="e", problem="no", status=503)
            scene.batches.error = down if self.now() < 30.0 else None

    clock = Shaky()
    scene.batches._clock = scene.made._clock = clock
    assert scene.run(asks(1)) == ["batched 0"]
    assert clock.now() >= 30.0


# --- Killed and cancelled -------------------------------------------------------------------------


class Killed(BaseException):
    """What ends a run as a signal would: nothing of ours catches it."""


def kill_during_wait(scene: Scene, requests: Sequence[Request], job: Path) -> None:
    class Deadly(ManualClock):
        async def sleep(self, seconds: float) -> None:
            raise Killed

    calm, scene.made._clock = scene.made._clock, Deadly()
    with pytest.raises(Killed):
        asyncio.run(scene.made.run(requests, job=job))
    scene.made._clock = calm


def test_a_killed_job_finds_its_batch_again(tmp_path: Path) -> None:
    scene, job = Scene(), tmp_path / "job.jsonl"
    kill_during_wait(scene, asks(3), job)
    assert scene.run(asks(3), job=job) == ["batched 0", "batched 1", "batched 2"]
    assert list(scene.batches.sent) == ["batch-0"]
    assert scene.direct.asked == []


def test_a_killed_job_sends_only_what_is_new(tmp_path: Path) -> None:
    scene, job = Scene(), tmp_path / "job.jsonl"
    kill_during_wait(scene, asks(3), job)
    assert scene.run(asks(5), job=job) == [f"batched {n}" for n in range(5)]
    assert [len(names) for names in scene.batches.sent.values()] == [3, 2]


def test_a_finished_job_asks_nobody(tmp_path: Path) -> None:
    scene, job = Scene(), tmp_path / "job.jsonl"
    first = scene.run(asks(3), job=job)
    polls = scene.batches.polls
    assert scene.run(asks(3), job=job) == first
    assert (len(scene.batches.sent), scene.batches.polls) == (1, polls)


def test_the_file_of_another_job_is_refused(tmp_path: Path) -> None:
    scene, job = Scene(), tmp_path / "job.jsonl"
    scene.run(asks(3), job=job)
    with pytest.raises(JobError, match="another job"):
        scene.run([ask("x")], job=job)


@pytest.mark.parametrize("keeps_a_file", [False, True])
def test_a_cancelled_run_cancels_batches_that_nobody_could_find(
    tmp_path: Path, keeps_a_file: bool
) -> None:
    scene = Scene(takes_s=1e9)

    class Waiting(ManualClock):
        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(60)

    scene.made._clock = Waiting()

    async def main() -> None:
        async with asyncio.timeout(0.05):
            await scene.made.run(asks(2), job=tmp_path / "j" if keeps_a_file else None)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert scene.batches.cancelled == ([] if keeps_a_file else ["batch-0"])


def test_a_direct_way_without_speed_is_refused() -> None:
    with pytest.raises(ConfigError, match="direct_per_s"):
        DeferredBatch(Sender(), base_url="http://127.0.0.1:9", direct_per_s=0.0)


def test_a_key_is_not_shown() -> None:
    made = DeferredBatch(Sender(), base_url="http://u:p@127.0.0.1:9", api_key="sk-secret")
    assert "sk-secret" not in repr(vars(made))
