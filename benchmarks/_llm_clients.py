"""Clients of language models as one program, so that each runs in a process of its own.

`python _llm_clients.py NAME` takes orders as lines of JSON on standard input and answers each with
one line on standard output; it ends with its input. The same text runs in the rivals' environments,
so everything beyond the standard library is imported by the client that needs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

MODEL = "sim"
KEY = "no-key"
IN_FLIGHT = 64
"""Calls at a time of clients that have no scheduler of their own."""


def chat(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


class Client:
    """One way to ask; `options` are those of the order `open`."""

    def __init__(self, base_url: str, options: dict[str, Any]) -> None:
        self.base_url, self.options = base_url, options

    async def ask(self, text: str, **params: Any) -> str:
        raise NotImplementedError

    async def ask_streamed(self, text: str, **params: Any) -> str:
        raise NotImplementedError

    async def bulk(self, texts: list[str], note: Callable[[int, str], None]) -> None:
        """Ask everything; notes each answer under its number, and leaves out what failed."""
        left = iter(enumerate(texts))

        async def work() -> None:
            for number, text in left:
                with contextlib.suppress(Exception):  # a lost prompt is counted by its absence
                    note(number, await self.ask(text))

        await together(work() for _ in range(self.options.get("in_flight", IN_FLIGHT)))

    def stats(self) -> dict[str, Any]:
        return {}

    async def close(self) -> None:
        pass


async def together(work: Iterable[Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*work)


class Aiohttp(Client):
    """The floor: one POST, its JSON, and nothing around it."""

    def __init__(self, base_url: str, options: dict[str, Any]) -> None:
        import aiohttp

        super().__init__(base_url, options)
        self.url = f"{base_url}/chat/completions"
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), headers={"authorization": f"Bearer {KEY}"}
        )

    async def ask(self, text: str, **params: Any) -> str:
        body = {"model": MODEL, "messages": chat(text), **params}
        async with self.session.post(self.url, json=body) as response:
            response.raise_for_status()
            answer = await response.json()
            return str(answer["choices"][0]["message"]["content"])

    async def close(self) -> None:
        await self.session.close()


class Paced(Aiohttp):
    """The reference of the bulk job: aiohttp, exact pacing, and what failed again at the end."""

    async def bulk(self, texts: list[str], note: Callable[[int, str], None]) -> None:
        rate, burst = self.options["requests_per_s"], self.options["burst"]
        start = time.perf_counter()
        queue = list(enumerate(texts))
        queue.reverse()
        sent = done = 0

        async def one(number: int, text: str) -> None:
            nonlocal done
            try:
                note(number, await self.ask(text))
                done += 1
            except Exception:  # noqa: BLE001  # whatever it was, it is tried again
                queue.insert(0, (number, text))

        async with asyncio.TaskGroup() as group:
            while done < len(texts):
                due = start + max(0, sent - burst + 1) / rate
                if not queue or (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(0.005 if not queue else wait)
                    continue
                sent += 1
                group.create_task(one(*queue.pop()))


class OpenAI(Client):
    def __init__(self, base_url: str, options: dict[str, Any]) -> None:
        from openai import AsyncOpenAI, DefaultAioHttpClient

        super().__init__(base_url, options)
        http = {"http_client": DefaultAioHttpClient()} if options.get("aiohttp") else {}
        retries = options.get("retries", 2)
        self.client = AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=retries, **http)

    async def ask(self, text: str, **params: Any) -> str:
        answer = await self.client.chat.completions.create(
            model=MODEL, messages=chat(text), **params
        )
        return str(answer.choices[0].message.content)

    async def ask_streamed(self, text: str, **params: Any) -> str:
        stream = await self.client.chat.completions.create(
            model=MODEL, messages=chat(text), stream=True, **params
        )
        parts = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        return "".join(parts)

    async def close(self) -> None:
        await self.client.close()


class LangChain(Client):
    def __init__(self, base_url: str, options: dict[str, Any]) -> None:
        from langchain_core.rate_limiters import InMemoryRateLimiter
        from langchain_openai import ChatOpenAI

        super().__init__(base_url, options)
        limiter = None
        if "requests_per_s" in options:
            limiter = InMemoryRateLimiter(
                requests_per_second=options["requests_per_s"],
                check_every_n_seconds=0.01,
                max_bucket_size=options["burst"],
            )
        if options.get("cache"):
            from langchain_core.caches import InMemoryCache
            from langchain_core.globals import set_llm_cache

            set_llm_cache(InMemoryCache())
        self.model = ChatOpenAI(
            model=MODEL,
            base_url=base_url,
            api_key=KEY,
            max_retries=options.get("retries", 2),
            rate_limiter=limiter,
        )

    async def ask(self, text: str, **params: Any) -> str:
        return str((await self.model.ainvoke(text, **params)).content)

    async def ask_streamed(self, text: str, **params: Any) -> str:
        return "".join([str(chunk.content) async for chunk in self.model.astream(text, **params)])

    async def bulk(self, texts: list[str], note: Callable[[int, str], None]) -> None:
        config = {"max_concurrency": self.options.get("in_flight", IN_FLIGHT)}
        answers = self.model.abatch_as_completed(texts, config=config, return_exceptions=True)
        async for number, answer in answers:
            if not isinstance(answer, BaseException):
                note(number, str(answer.content))


class LiteLLM(Client):
    def __init__(self, base_url: str, options: dict[str, Any]) -> None:
        import litellm

        super().__init__(base_url, options)
        litellm.suppress_debug_info = True
        if options.get("cache"):
            from litellm.caching.caching import Cache

            litellm.cache = Cache(type="local")
        if "prices" in options:
            one = options["prices"]
            costs = {
                "input_cost_per_token": one["prompt"] / 1e6,
                "output_cost_per_token": one["completion"] / 1e6,
                "litellm_provider": "openai",
                "mode": "chat",
            }
            litellm.register_model({f"openai/{MODEL}": costs, MODEL: costs})
        if "budget_usd" in options:
            litellm.max_budget = options["budget_usd"]
        self.completion = litellm.acompletion

    async def ask(self, text: str, **params: Any) -> str:
        answer = await self._complete(text, params)
        return str(answer.choices[0].message.content)

    async def ask_streamed(self, text: str, **params: Any) -> str:
        stream = await self._complete(text, params | {"stream": True})
        parts = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        return "".join(parts)

    async def _complete(self, text: str, params: dict[str, Any]) -> Any:
        return await self.completion(
            model=f"openai/{MODEL}",
            messages=chat(text),
            api_base=self.base_url,
            api_key=KEY,
            num_retries=self.options.get("retries", 2),
            caching=bool(self.options.get("cache")),
            **params,
        )


class LiteLLMRouter(LiteLLM):
    def __init__(self, base_url: str, options: dict[str, Any]) -> None:
        from litellm import Router

        super().__init__(base_url, options)
        where = {"model": f"openai/{MODEL}", "api_base": base_url, "api_key": KEY}
        if "requests_per_s" in options:
            where["rpm"] = round(options["requests_per_s"] * 60)
        self.router = Router(
            model_list=[{"model_name": MODEL, "litellm_params": where}],
            num_retries=options.get("retries", 2),
            cache_responses=bool(options.get("cache")),
        )

    async def _complete(self, text: str, params: dict[str, Any]) -> Any:
        return await self.router.acompletion(model=MODEL, messages=chat(text), **params)


class Perfwright(Client):
    """Ours. `known` gives it the provider's limits, otherwise it has to learn them."""

    def __init__(self, base_url: str, options: dict[str, Any]) -> None:
        from perfwright import OptimizedLLMAdapter
        from perfwright.llm.cost import Budget
        from perfwright.llm.endpoints import CallSettings

        super().__init__(base_url, options)
        given: dict[str, Any] = (
            {"prices": {MODEL: options["prices"]}} if "prices" in options else {}
        )
        if "requests_per_s" in options:
            given |= {"max_requests_per_second": options["requests_per_s"]}
            given |= {"burst": options["burst"]}
        if "budget" in options:
            given["budgets"] = [Budget(name="all", **options["budget"])]
        if "hedge" in options:
            given["settings"] = CallSettings(hedge=options["hedge"])
        if "redis_port" in options:
            from redis.asyncio import Redis

            given["redis_client"] = Redis(port=options["redis_port"])
        self.redis = given.get("redis_client")
        self.limited = {key: options[key] for key in ("timeout_s",) if key in options}
        self.adapter = OptimizedLLMAdapter(
            base_url=base_url,
            api_key=KEY,
            model=MODEL,
            enable_cache=bool(options.get("cache")),
            **given,
        )

    async def ask(self, text: str, **params: Any) -> str:
        params = self.limited | params
        return (await self.adapter.complete(chat(text), **params)).text

    async def ask_streamed(self, text: str, **params: Any) -> str:
        return "".join([piece.text async for piece in self.adapter.stream(chat(text), **params)])

    async def bulk(self, texts: list[str], note: Callable[[int, str], None]) -> None:
        answers = await self.adapter.batch_complete(map(chat, texts), return_exceptions=True)
        for number, answer in enumerate(answers):
            if not isinstance(answer, BaseException):
                note(number, answer.text)

    def stats(self) -> dict[str, Any]:
        return self.adapter.get_stats()

    async def close(self) -> None:
        await self.adapter.aclose()
        if self.redis is not None:
            await self.redis.aclose()


CLIENTS: dict[str, type[Client]] = {
    "aiohttp": Aiohttp,
    "langchain": LangChain,
    "litellm": LiteLLM,
    "openai": OpenAI,
    "paced": Paced,
    "perfwright": Perfwright,
    "router": LiteLLMRouter,
}


# --- Orders ---------------------------------------------------------------------------------------


class Orders:
    """Does what the benchmark asks of one client."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.client: Client | None = None

    async def open(self, *, base_url: str, **options: Any) -> dict[str, Any]:
        self.client = CLIENTS[self.name](base_url, options)
        return {}

    async def close(self) -> None:
        if self.client is not None:
            await self.client.close()

    async def stats(self) -> dict[str, Any]:
        return {"stats": self.client.stats()}

    async def bulk(self, *, texts: list[str], limit_s: float) -> dict[str, Any]:
        """Ask all; the answers' first words tell which prompt each belongs to."""
        firsts: dict[int, str] = {}

        def note(number: int, answer: str) -> None:
            firsts[number] = answer.partition(" ")[0]

        begun_s, cpu_s = time.perf_counter(), time.process_time()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self.client.bulk(texts, note)
        took_s, used_s = time.perf_counter() - begun_s, time.process_time() - cpu_s
        return {"seconds": took_s, "cpu_s": used_s, "firsts": firsts}

    async def calls(self, *, count: int, in_flight: int, prefix: str) -> dict[str, Any]:
        """Ask `count` different prompts, so many at a time; returns CPU and time of each call."""
        left = iter(range(count))
        took_s: list[float] = []

        async def work() -> None:
            for number in left:
                begun_s = time.perf_counter()
                await self.client.ask(f"{prefix} {number}")
                took_s.append(time.perf_counter() - begun_s)

        begun_s, cpu_s = time.perf_counter(), time.process_time()
        await together(work() for _ in range(in_flight))
        used_s = time.process_time() - cpu_s
        seconds = time.perf_counter() - begun_s
        return {"cpu_us": used_s / count * 1e6, "seconds": seconds, "took_s": took_s}

    async def ask_all(
        self,
        *,
        texts: list[str],
        streamed: float = 0.0,
        in_flight: int | None = None,
        params: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Ask the prompts, all at once unless `in_flight` says otherwise, a share as streams.

        Says how the calls ended: with an answer, or the name of an error.
        """
        ends: dict[str, int] = {}
        answers: set[str] = set()
        left = iter(enumerate(texts))

        async def work() -> None:
            for number, text in left:
                is_streamed = int((number + 1) * streamed) > int(number * streamed)
                ask = self.client.ask_streamed if is_streamed else self.client.ask
                try:
                    answers.add(await ask(text, **(params or {})))
                    end = "answered"
                except Exception as error:  # noqa: BLE001  # counted by its name
                    end = type(error).__name__
                ends[end] = ends.get(end, 0) + 1

        begun_s = time.perf_counter()
        await together(work() for _ in range(in_flight or len(texts)))
        return {"ends": ends, "answers": len(answers), "seconds": time.perf_counter() - begun_s}


def _lines() -> Iterator[str]:
    while line := sys.stdin.readline():
        yield line


def main(name: str) -> None:
    orders = Orders(name)
    with asyncio.Runner() as runner:
        for line in _lines():
            order = json.loads(line)
            try:
                answer = runner.run(getattr(orders, order.pop("do"))(**order))
            except Exception as error:  # noqa: BLE001  # the benchmark raises it
                answer = {"failed": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer, default=str), flush=True)
        runner.run(orders.close())


if __name__ == "__main__":
    main(sys.argv[1])
