from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perfwright.core import BadAnswerError, ConfigError, ProviderDownError, ProviderRefusedError
from perfwright.llm import Api, Completion, Request, Usage
from perfwright.llm.bulk import EmbeddingQueue
from tests.batching.virtual import in_virtual_time


class Embedder:
    """Embeds an input as its length after 0.1 s, each token of it at 0.001 dollars."""

    def __init__(self, *, bad: tuple[str, ...] = (), error: Exception | None = None) -> None:
        self.requests: list[Request] = []
        self._bad, self._error = bad, error

    async def __call__(self, request: Request) -> Completion:
        self.requests.append(request)
        await asyncio.sleep(0.1)
        inputs = request.body["input"]
        if self._error is not None:
            raise self._error
        if any(text in self._bad for text in inputs):
            raise ProviderRefusedError(endpoint="e", problem="input is too long", status=400)
        data = [{"index": i, "embedding": [float(len(text))]} for i, text in enumerate(inputs)]
        tokens = sum(len(text) for text in inputs)
        return Completion(
            {"object": "list", "model": "m", "data": data[::-1]},  # in no useful order
            usage=Usage(prompt_tokens=tokens),
            cost_usd=tokens / 1_000,
            endpoint="e",
        )

    @property
    def sizes(self) -> list[int]:
        return [len(request.body["input"]) for request in self.requests]


async def embed_all(queue: EmbeddingQueue, texts: list[Any], **options: Any) -> list[Any]:
    """Call embed for each text at once; a failure is in its place."""

    async def one(text: Any) -> Any:
        try:
            return vectors(await queue.embed(text, model="m", **options))
        except Exception as error:  # noqa: BLE001 -- looked at by the test
            return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(text)) for text in texts]
    return [task.result() for task in tasks]


def vectors(answer: Completion) -> list[float]:
    assert [item["index"] for item in answer["data"]] == list(range(len(answer["data"])))
    return [item["embedding"][0] for item in answer["data"]]


# --- Sharing --------------------------------------------------------------------------------------


@in_virtual_time
async def test_concurrent_calls_share_a_request() -> None:
    send = Embedder()
    async with EmbeddingQueue(send) as queue:
        texts = ["a" * n for n in range(1, 101)]
        assert await embed_all(queue, texts) == [[float(n)] for n in range(1, 101)]
    assert send.sizes == [100]
    assert send.requests[0].api is Api.EMBEDDINGS


@in_virtual_time
async def test_the_calls_saved_are_counted() -> None:
    async with EmbeddingQueue(Embedder()) as queue:
        await embed_all(queue, ["a", "b", ["a", "c"]])
        assert queue.get_stats() == {
            "calls": 3,
            "inputs": 4,
            "duplicates": 1,
            "requests": 1,
            "saved": 2,
        }
        assert {metric.name for metric in queue.metrics()} >= {"llm_embedding_requests"}


@in_virtual_time
async def test_calls_that_come_within_the_wait_share_a_request() -> None:
    send = Embedder()
    async with EmbeddingQueue(send, max_wait_s=0.01) as queue, asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(queue.embed("a", model="m"))
            await asyncio.sleep(0.001)
    assert len(send.requests) == 1


@in_virtual_time
async def test_equal_inputs_travel_once() -> None:
    send = Embedder()
    async with EmbeddingQueue(send) as queue:
        assert await embed_all(queue, ["aa", "b", "aa", ["b", "aa"]]) == [[2], [1], [2], [1, 2]]
    assert send.sizes == [2]


@in_virtual_time
async def test_the_order_of_a_list_is_kept() -> None:
    async with EmbeddingQueue(Embedder(), max_inputs=2) as queue:
        assert await embed_all(queue, [["ccc", "a", "bb", "a"]]) == [[3, 1, 2, 1]]


@pytest.mark.parametrize("limits", [{"max_inputs": 10}, {"max_tokens": 20}])
@in_virtual_time
async def test_requests_keep_the_limits(limits: dict[str, int]) -> None:
    send = Embedder()
    async with EmbeddingQueue(send, **limits) as queue:
        await embed_all(queue, [[f"{n:03}" for n in range(35)]])
    assert send.sizes == [10, 10, 10, 5]


@in_virtual_time
async def test_models_and_dimensions_do_not_share_requests() -> None:
    send = Embedder()
    async with EmbeddingQueue(send) as queue, asyncio.TaskGroup() as group:
        for model in ("m", "n"):
            for dimensions in (8, 16):
                group.create_task(queue.embed("a", model=model, dimensions=dimensions))
    asked = sorted((r.body["model"], r.body["dimensions"]) for r in send.requests)
    assert asked == [("m", 8), ("m", 16), ("n", 8), ("n", 16)]


@in_virtual_time
async def test_callers_who_pay_apart_do_not_share_requests() -> None:
    send = Embedder()
    async with EmbeddingQueue(send) as queue, asyncio.TaskGroup() as group:
        for user in ("1", "2"):
            group.create_task(queue.embed("a", model="m", labels={"user": user}))
    assert sorted(request.labels["user"] for request in send.requests) == ["1", "2"]


@in_virtual_time
async def test_tokens_of_a_text_are_one_input() -> None:
    send = Embedder()
    async with EmbeddingQueue(send) as queue:
        answer = await queue.embed([5, 6, 7], model="m")
    assert send.requests[0].body["input"] == [[5, 6, 7]]
    assert vectors(answer) == [3.0]


# --- What it costs --------------------------------------------------------------------------------


@in_virtual_time
async def test_shares_of_usage_and_cost_sum_to_the_request() -> None:
    texts: list[Any] = ["a" * n for n in (1, 5, 9)] + [["a", "a" * 5, "b" * 31]]
    async with EmbeddingQueue(Embedder()) as queue, asyncio.TaskGroup() as group:
        tasks = [group.create_task(queue.embed(text, model="m")) for text in texts]
    answers = [task.result() for task in tasks]
    assert sum(answer.usage.prompt_tokens for answer in answers) == 1 + 5 + 9 + 31
    assert sum(answer.cost_usd or 0 for answer in answers) == pytest.approx(0.046)
    assert answers[3]["usage"]["prompt_tokens"] == answers[3].usage.prompt_tokens


# --- Failures -------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_bad_input_fails_its_own_call_alone() -> None:
    send = Embedder(bad=("bad",))
    async with EmbeddingQueue(send) as queue:
        results = await embed_all(queue, [f"good {n}" for n in range(31)] + ["bad"])
    assert isinstance(results[-1], ProviderRefusedError)
    assert results[:-1] == [[float(len(f"good {n}"))] for n in range(31)]
    assert len(send.requests) <= 1 + 2 * 5  # halves of 32


@in_virtual_time
async def test_a_bad_input_fails_all_who_brought_it() -> None:
    async with EmbeddingQueue(Embedder(bad=("bad",))) as queue:
        results = await embed_all(queue, ["bad", ["fine", "bad"], "fine"])
    assert [isinstance(result, ProviderRefusedError) for result in results] == [True, True, False]


@pytest.mark.parametrize(
    "error",
    [
        ProviderDownError(endpoint="e", problem="no", status=503),
        ProviderRefusedError(endpoint="e", problem="wrong key", status=401),
    ],
)
@in_virtual_time
async def test_what_is_no_inputs_fault_is_not_tried_in_halves(error: Exception) -> None:
    send = Embedder(error=error)
    async with EmbeddingQueue(send) as queue:
        assert await embed_all(queue, ["a", "b", "c"]) == [error] * 3
    assert len(send.requests) == 1


@in_virtual_time
async def test_a_service_that_refuses_everything_is_asked_a_bounded_number_of_times() -> None:
    send = Embedder(error=ProviderRefusedError(endpoint="e", problem="no", status=400))
    async with EmbeddingQueue(send) as queue:
        await embed_all(queue, [str(n) for n in range(1_000)])
    assert len(send.requests) <= 7


@in_virtual_time
async def test_too_few_embeddings_are_an_error() -> None:
    async def send(request: Request) -> Completion:
        return Completion({"data": []}, usage=Usage(), endpoint="e")

    async with EmbeddingQueue(send) as queue:
        with pytest.raises(BadAnswerError, match="not as many embeddings"):
            await queue.embed("a", model="m")


@in_virtual_time
async def test_a_caller_that_gives_up_does_not_disturb_the_others() -> None:
    async with EmbeddingQueue(Embedder()) as queue, asyncio.TaskGroup() as group:
        kept = group.create_task(queue.embed("aa", model="m"))
        given_up = group.create_task(queue.embed("b", model="m"))
        await asyncio.sleep(0.05)
        given_up.cancel()
    assert vectors(kept.result()) == [2.0]


@in_virtual_time
async def test_no_input_is_refused() -> None:
    async with EmbeddingQueue(Embedder()) as queue:
        with pytest.raises(ConfigError, match="at least one input"):
            await queue.embed([], model="m")


@pytest.mark.parametrize("option", ["max_inputs", "max_tokens"])
def test_limits_below_one_are_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=option):
        EmbeddingQueue(Embedder(), **{option: 0})
