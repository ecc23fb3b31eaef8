"""`perfwright gateway` as people run it: a process, signals, several workers, real calls."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from benchmarks._redis import PrivateRedis
from perfwright.cli.gateway_command import command
from perfwright.container.gateway import Plan
from perfwright.core import is_alive
from perfwright.llm.testing import SimulatedProvider
from tests.limits.loops import in_loop
from tests.system.commands import assert_refused, finish, run, start, wait_until

SECRET = "pw-secret-of-alice"


@dataclass(slots=True)
class Running:
    """A gateway process."""

    process: subprocess.Popen[str]
    url: str

    def tell(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Its exit code, in a reasonable time."""
        return self.process.wait(20.0)


@contextmanager
def gateway(
    folder: Path,
    provider: SimulatedProvider,
    *options: str,
    before: Callable[[], None] | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Run a gateway in front of a provider until the end of the block."""
    own = {"OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": "", "REDIS_URL": "", **(env or {})}
    address = ("--port", "0", "--base-url", provider.base_url)
    process = start("gateway", *address, *options, cwd=folder, mark="gateway", before=before, **own)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/v1", line)
        assert found, line
        yield Running(process, found[0])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def body(number: int = 0, **more: Any) -> dict[str, Any]:
    message = {"role": "user", "content": f"question {number}"}
    return {"model": "gpt-4o-mini", "messages": [message], "max_tokens": 20, **more}


async def ask(client: aiohttp.ClientSession, url: str, **more: Any) -> tuple[int, dict[str, Any]]:
    async with client.post(f"{url}/chat/completions", json=body(**more)) as answer:
        return answer.status, await answer.json()


@in_loop
async def test_a_call_goes_through_the_whole_pipeline(tmp_path: Path) -> None:
    with SimulatedProvider(latency_s=0.0) as provider, gateway(tmp_path, provider) as running:
        async with aiohttp.ClientSession() as client:
            answers = [await ask(client, running.url) for _ in range(3)]
            async with client.get(running.url.removesuffix("/v1") + "/stats") as page:
                stats = await page.json()
        attempts = provider.counts()["attempts"]
    assert [status for status, _ in answers] == [200] * 3
    assert attempts == 1  # the cache answered the others
    assert answers[0] == answers[1] == answers[2]
    assert stats["llm"]["cost_usd"] > 0


@in_loop
async def test_a_call_that_names_no_model_is_for_the_configured_one(tmp_path: Path) -> None:
    provider = SimulatedProvider(latency_s=0.0)
    with provider, gateway(tmp_path, provider, "--model", "gpt-4o-mini") as running:
        async with aiohttp.ClientSession() as client:
            for named in ({"model": None}, {"model": ""}):
                status, answer = await ask(client, running.url, **named)
                assert (status, answer["model"]) == (200, "gpt-4o-mini")


@in_loop
async def test_with_few_files_allowed_callers_wait_and_none_is_lost(tmp_path: Path) -> None:
    def allow_few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 256))

    provider = SimulatedProvider(latency_s=0.2, completion_tokens=5)
    with provider, gateway(tmp_path, provider, before=allow_few) as running:
        statuses: list[int] = []

        async def caller(number: int) -> None:
            async with aiohttp.ClientSession() as client:
                statuses.append((await ask(client, running.url, number=number))[0])

        async with asyncio.timeout(40.0), asyncio.TaskGroup() as group:
            for number in range(300):
                group.create_task(caller(number))
        running.tell()
        done = await asyncio.to_thread(finish, running.process)
    assert statuses == [200] * 300
    assert done.err == ""


@in_loop
async def test_openais_own_client_calls_and_streams_through_it(tmp_path: Path) -> None:
    from openai import AsyncOpenAI

    with SimulatedProvider(latency_s=0.0) as provider, gateway(tmp_path, provider) as running:
        async with AsyncOpenAI(base_url=running.url, api_key="none") as client:
            one = await client.chat.completions.create(**body(1))
            stream = await client.chat.completions.create(**body(2), stream=True)
            texts = [piece.choices[0].delta.content or "" async for piece in stream]
            embedded = await client.embeddings.create(model="e", input=["a", "b"])
            with pytest.raises(Exception, match="400"):
                await client.chat.completions.create(
                    model="gpt-4o-mini", messages=[{"role": "user", "content": "[refuse]"}]
                )
    assert one.choices[0].message.content
    assert len("".join(texts)) > 10
    assert len(embedded.data) == 2


@in_loop
async def test_a_caller_that_leaves_frees_the_provider(tmp_path: Path) -> None:
    with SimulatedProvider(latency_s=30.0) as provider, gateway(tmp_path, provider) as running:
        async with aiohttp.ClientSession() as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await ask(client, running.url)
        assert wait_until(lambda: provider.counts()["in_flight"] == 0)
        assert provider.counts()["aborted"] == 1


@pytest.mark.parametrize("one_call_each", [False, True], ids=["kept", "new"])
@pytest.mark.parametrize("workers", ["1", "2"])
@in_loop
async def test_sigterm_under_load_loses_no_call_that_was_accepted(
    workers: str, one_call_each: bool, tmp_path: Path
) -> None:
    lost: list[str] = []
    done = 0
    provider = SimulatedProvider(latency_s=0.05)
    with provider, gateway(tmp_path, provider, "--workers", workers) as running:

        async def caller(number: int) -> None:
            nonlocal done
            connector = aiohttp.TCPConnector(force_close=one_call_each)
            async with aiohttp.ClientSession(connector=connector) as client:
                for turn in range(1_000):
                    try:
                        status, _ = await ask(client, running.url, number=1_000 * number + turn)
                    except aiohttp.ClientConnectorError:  # it takes no new connections: not lost
                        return
                    except (aiohttp.ClientError, OSError) as error:
                        lost.append(repr(error))
                        return
                    done += 1
                    if status != 200:
                        lost.append(str(status))

        async with asyncio.TaskGroup() as group:
            for number in range(30):
                group.create_task(caller(number))
            while done < 60:  # noqa: ASYNC110 - a count, not an event
                await asyncio.sleep(0.01)
            running.tell()
        code = await asyncio.to_thread(running.ended)
    assert (lost, code) == ([], 0)


@in_loop
async def test_a_stream_is_finished_after_sigterm(tmp_path: Path) -> None:
    provider = SimulatedProvider(latency_s=0.05, token_delay_s=0.02)
    with provider, gateway(tmp_path, provider) as running:
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{running.url}/chat/completions", json=body(stream=True)) as answer,
        ):
            first = await answer.content.readany()
            running.tell()
            rest = await answer.content.read()
        code = await asyncio.to_thread(running.ended)
    assert (first + rest).endswith(b"data: [DONE]\n\n")
    assert code == 0


@in_loop
async def test_a_second_signal_quits_at_once(tmp_path: Path) -> None:
    with SimulatedProvider(latency_s=60.0) as provider, gateway(tmp_path, provider) as running:
        async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as group:

            async def call() -> None:
                with pytest.raises(aiohttp.ClientError):
                    await ask(client, running.url)

            group.create_task(call())
            while provider.counts()["in_flight"] == 0:  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.02)
            running.tell()
            await asyncio.sleep(0.3)
            began_s = time.monotonic()
            running.tell()
            code = await asyncio.to_thread(running.ended)
            took_s = time.monotonic() - began_s
    assert code == 1
    assert took_s < 5.0


def test_an_idle_gateway_ends_at_once(tmp_path: Path) -> None:
    with SimulatedProvider() as provider, gateway(tmp_path, provider) as running:
        began_s = time.monotonic()
        running.tell(signal.SIGINT)
        assert (running.ended(), time.monotonic() - began_s < 5.0) == (0, True)


def test_a_gateway_that_is_stopped_before_it_listens_ends_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stopped(*_: object, **__: object) -> Plan:
        raise KeyboardInterrupt  # what SIGTERM is until the gateway has a handler of its own

    monkeypatch.setattr("perfwright.container.gateway.build_plan", stopped)
    assert command.main([str(tmp_path)], standalone_mode=False) == 0


def children(running: Running) -> list[int]:
    pid = running.process.pid
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@in_loop
async def test_workers_share_the_port_and_a_killed_one_is_replaced(tmp_path: Path) -> None:
    async def works() -> bool:
        async with aiohttp.ClientSession() as client:
            try:
                return (await ask(client, running.url))[0] == 200
            except aiohttp.ClientError:
                return False

    provider = SimulatedProvider(latency_s=0.0)
    with provider, gateway(tmp_path, provider, "--workers", "2") as running:
        assert wait_until(lambda: len(children(running)) == 2)
        before = children(running)
        os.kill(before[0], signal.SIGKILL)
        assert wait_until(lambda: len(children(running)) == 2 and children(running) != before)
        async with asyncio.timeout(20.0):
            while not await works():  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.05)
        running.tell()
        assert await asyncio.to_thread(running.ended) == 0
        assert [each for each in before if is_alive(each)] == []


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    with SimulatedProvider() as provider, gateway(tmp_path, provider, "--workers", "2") as running:
        assert wait_until(lambda: len(children(running)) == 2)
        workers = children(running)
        running.process.kill()
        running.process.wait()
        assert wait_until(lambda: not any(map(is_alive, workers)))


@in_loop
async def test_a_keys_budget_stops_its_calls_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "perfwright.toml").write_text(
        '[gateway.keys.alice]\nenv = "ALICE"\nbudget_tokens = 60\n'
        '[gateway.keys.bob]\nenv = "BOB"\n',
        encoding="utf-8",
    )
    env = {"ALICE": SECRET, "BOB": "pw-secret-of-bob"}
    provider = SimulatedProvider(latency_s=0.0)
    with provider, gateway(tmp_path, provider, env=env) as running:
        statuses: dict[str, list[int]] = {}
        for name, secret in env.items():
            async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {secret}"}) as own:
                numbers = range(6) if name == "ALICE" else range(10, 16)
                statuses[name] = [(await ask(own, running.url, number=n))[0] for n in numbers]
        spent = provider.counts()
    assert statuses["BOB"] == [200] * 6
    assert statuses["ALICE"][0] == 200
    assert statuses["ALICE"][-1] == 402
    assert spent["attempts"] < 12


@in_loop
async def test_workers_share_a_budget_through_redis(
    tmp_path: Path, redis_server: PrivateRedis
) -> None:
    (tmp_path / "perfwright.toml").write_text(
        '[llm]\ncache = false\n[[llm.budgets]]\nname = "all"\ncalls = 10\n', encoding="utf-8"
    )
    env = {"PERFWRIGHT_REDIS_URL": redis_server.url}
    provider = SimulatedProvider(latency_s=0.0)
    with provider, gateway(tmp_path, provider, "--workers", "2", env=env) as running:
        connector = aiohttp.TCPConnector(force_close=True)  # so that both workers are asked
        async with aiohttp.ClientSession(connector=connector) as client:
            asked = [(await ask(client, running.url, number=n))[0] for n in range(30)]
        attempts = provider.counts()["attempts"]
    assert (asked.count(200), asked.count(402), attempts) == (10, 20, 10)


def test_an_open_address_without_keys_is_refused(tmp_path: Path) -> None:
    done = run("gateway", "--host", "0.0.0.0", "--base-url", "http://127.0.0.1:1/v1", cwd=tmp_path)
    assert_refused(done, "whoever reaches it spends your money", "--new-key NAME")


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with SimulatedProvider() as provider, gateway(tmp_path, provider) as running:
        port = running.url.split(":")[2].removesuffix("/v1")
        for workers in ("1", "2"):
            done = run(
                *("gateway", "--port", port, "--workers", workers),
                *("--base-url", provider.base_url),
                cwd=tmp_path,
            )
            assert_refused(done, "in use")


def test_a_drawn_key_opens_the_gateway_it_is_written_into(tmp_path: Path) -> None:
    drawn = run("gateway", "--new-key", "alice", cwd=tmp_path)
    (tmp_path / "perfwright.toml").write_text(drawn.out, encoding="utf-8")
    secret = re.search(r"pw-\S+", drawn.err)
    assert secret is not None
    assert secret[0] not in drawn.out

    @in_loop
    async def calls() -> None:
        with SimulatedProvider(latency_s=0.0) as provider, gateway(tmp_path, provider) as running:
            async with aiohttp.ClientSession() as client:
                assert (await ask(client, running.url))[0] == 401
                client.headers["Authorization"] = f"Bearer {secret[0]}"
                assert (await ask(client, running.url))[0] == 200

    calls()


@in_loop
async def test_the_access_log_goes_to_standard_error(tmp_path: Path) -> None:
    provider = SimulatedProvider(latency_s=0.0)
    with provider, gateway(tmp_path, provider, "--access-log") as running:
        async with aiohttp.ClientSession() as client:
            await ask(client, running.url)
        running.tell()
        done = finish(running.process)
    lines = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    assert [(line["status"], line["route"]) for line in lines] == [(200, "chat")]
    assert "question" not in done.err
