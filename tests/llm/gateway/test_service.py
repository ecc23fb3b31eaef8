"""What a caller gets: answers untouched, errors in its own form."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
import pytest
from yarl import URL

from perfwright.batching import Priority
from perfwright.core.errors import (
    ProviderDownError,
    ProviderLimitError,
    ProviderRefusedError,
    ProviderTimeoutError,
    SpendLimitError,
)
from perfwright.llm.requests import Api
from tests.limits.loops import in_loop
from tests.llm.gateway.fakes import (
    CHAT,
    HELLO,
    RAW,
    FakeRuntime,
    completion,
    gateway,
    key,
    until,
)

SECRET = "pw-a-secret-of-alice"
BEARER = {"Authorization": f"Bearer {SECRET}"}


# Answers


@in_loop
async def test_an_answer_is_passed_on_byte_for_byte() -> None:
    async with gateway() as served:
        status, body, _ = await served.post()
    assert (status, body) == (200, RAW)


@in_loop
async def test_an_answer_without_known_bytes_is_written_anew() -> None:
    async with gateway(FakeRuntime(answer=lambda _: completion(raw=None))) as served:
        _, body, _ = await served.post()
    assert msgspec.json.decode(body) == msgspec.json.decode(RAW)


@in_loop
async def test_a_request_reaches_the_pipeline_with_its_own_bytes() -> None:
    sent = b'{"model":  "m", "messages": [], "tools": [{"type": "function"}], "unknown": 1}'
    async with gateway() as served:
        await served.post(body=sent)
        (asked,) = served.runtime.asked
    assert asked.raw == sent
    assert asked.body["unknown"] == 1


@in_loop
async def test_the_facts_of_an_answer_are_in_its_headers() -> None:
    async with gateway(FakeRuntime(answer=lambda _: completion(cached=True))) as served:
        _, _, headers = await served.post()
    assert headers["x-perfwright-cached"] == "true"
    assert headers["x-perfwright-endpoint"] == "first"
    assert headers["x-perfwright-cost-usd"] == "0.00125"
    assert headers["x-perfwright-trace-id"] == completion().trace.trace_id  # type: ignore[union-attr]


@in_loop
async def test_an_unknown_cost_is_not_shown_as_zero() -> None:
    async with gateway(FakeRuntime(answer=lambda _: completion(cost_usd=None))) as served:
        _, _, headers = await served.post()
    assert "x-perfwright-cost-usd" not in headers


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/v1/chat/completions", Api.CHAT),
        ("/chat/completions", Api.CHAT),
        ("/v1/responses", Api.RESPONSES),
        ("/v1/embeddings", Api.EMBEDDINGS),
        ("/v1/messages", Api.MESSAGES),
        ("/v1/messages?beta=true", Api.MESSAGES),
    ],
)
@in_loop
async def test_a_path_names_the_interface(path: str, api: Api) -> None:
    async with gateway() as served:
        status, _, _ = await served.post(path)
    assert (status, served.runtime.asked[0].api) == (200, api)


@in_loop
async def test_labels_priority_and_timeout_may_be_given_in_headers() -> None:
    async with gateway(keys=[key("alice", SECRET)]) as served:
        await served.post(
            **BEARER,
            x_perfwright_labels="agent=planner, user=7",
            x_perfwright_priority="high",
            x_perfwright_timeout_s="2.5",
        )
        (asked,) = served.runtime.asked
    assert asked.labels == {"agent": "planner", "user": "7", "key": "alice"}
    assert (asked.priority, asked.timeout_s) == (Priority.HIGH, 2.5)


@pytest.mark.parametrize("named", [{}, {"model": None}, {"model": ""}])
@in_loop
async def test_a_call_that_names_no_model_is_for_the_configured_one(named: dict[str, Any]) -> None:
    body = {"messages": HELLO["messages"], **named}
    async with gateway(model="small") as served:
        await served.post(body=body)
        await served.post()
        anonymous, other = served.runtime.asked
    assert (anonymous.model, anonymous.raw) == ("small", None)
    assert anonymous.body["messages"] == HELLO["messages"]
    assert (other.model, other.raw) == ("m", msgspec.json.encode(HELLO))


@in_loop
async def test_a_key_may_leave_out_the_configured_model_if_it_is_one_of_its_own() -> None:
    keys = [key("alice", SECRET, models=frozenset({"small"}))]
    body = {"messages": HELLO["messages"]}
    async with gateway(keys=keys, model="small") as served:
        assert (await served.post(body=body, **BEARER))[0] == 200
    async with gateway(keys=keys, model="large") as served:
        assert await served.error(body=body, **BEARER) == (403, "model_not_allowed")


@pytest.mark.parametrize("mode", ["use", "refresh", "bypass"])
@in_loop
async def test_a_caller_may_do_without_the_cache(mode: str) -> None:
    async with gateway() as served:
        await served.post(x_perfwright_cache=mode)
        await served.post(body={**HELLO, "stream": True}, x_perfwright_cache=mode)
    assert served.runtime.modes == [mode, mode]


# Errors


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SpendLimitError(budget="b", need="$1", left="$0"), 402, "insufficient_quota"),
        (ProviderLimitError(endpoint="e", problem="p"), 429, "rate_limit_exceeded"),
        (ProviderRefusedError(endpoint="e", problem="p", status=422, code="odd"), 422, "odd"),
        (ProviderRefusedError(endpoint="e", problem="p", status=401), 502, "provider_refused_key"),
        (ProviderTimeoutError(endpoint="e", problem="p"), 504, "provider_timeout"),
        (ProviderRefusedError(endpoint="e", problem="p", status=302), 502, "provider_error"),
        (ProviderRefusedError(endpoint="e", problem="p", status=407), 502, "provider_error"),
        (ProviderRefusedError(endpoint="e", problem="p"), 502, "provider_error"),
        (ProviderRefusedError(endpoint="e", problem="p", code="no_such_interface"), 400, None),
        (ProviderRefusedError(endpoint="e", problem="p", code="untranslatable"), 400, None),
        (ProviderRefusedError(endpoint="e", problem="p", code="invalid_body"), 400, None),
        (ProviderDownError(endpoint="e", problem="p", status=500), 502, "provider_error"),
        (ProviderDownError(endpoint="e", problem="p"), 503, "provider_down"),
    ],
)
@in_loop
async def test_a_failed_call_has_a_status_that_says_whose_fault_it_is(
    error: Exception, status: int, code: str | None
) -> None:
    async with gateway(FakeRuntime(answer=lambda _: error)) as served:
        assert await served.error() == (status, code or getattr(error, "code", ""))


@in_loop
async def test_the_providers_wish_to_wait_is_passed_on() -> None:
    error = ProviderLimitError(endpoint="e", problem="p", retry_after_s=1.25)
    async with gateway(FakeRuntime(answer=lambda _: error)) as served:
        _, _, headers = await served.post()
    assert (headers["Retry-After"], headers["retry-after-ms"]) == ("2", "1250")


@in_loop
async def test_a_spent_budget_is_not_asked_again_by_openais_client() -> None:
    error = SpendLimitError(budget="b", need="$1", left="$0")
    async with gateway(FakeRuntime(answer=lambda _: error)) as served:
        _, _, headers = await served.post()
    assert headers["x-should-retry"] == "false"


@in_loop
async def test_anthropics_clients_get_errors_in_anthropics_form() -> None:
    error = ProviderLimitError(endpoint="e", problem="too many")
    async with gateway(FakeRuntime(answer=lambda _: error)) as served:
        status, body, _ = await served.post("/v1/messages")
    document = msgspec.json.decode(body)
    assert (status, document["type"]) == (429, "error")
    assert document["error"]["type"] == "rate_limit_error"


@in_loop
async def test_a_defect_is_logged_and_tells_the_caller_nothing_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runtime = FakeRuntime(answer=lambda _: ValueError("a secret of the inside"))
    with caplog.at_level(logging.ERROR, logger="perfwright.gateway"):
        async with gateway(runtime) as served:
            status, body, _ = await served.post()
    assert status == 500
    assert b"secret" not in body
    assert "a secret of the inside" in caplog.text


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"model": "m",}', b"line 1, column 15"),
        (b"", b"empty"),
        (b"[1]", b"an array"),
        (b'{"model": "\xff"}', b"at byte 11"),
        (b"[" * 50_000, b"cannot be read"),
        (b'{"model": 7}', b"model must be a string, not a number"),
        (b'{"stream": "yes"}', b"stream must be true or false, not a string"),
        (b'{"a": NaN}', b"NaN"),
        (b'{"a": "\\ud800"}', b"surrogate"),
    ],
)
@in_loop
async def test_a_body_that_is_no_json_object_is_refused_with_its_place(
    body: bytes, says: bytes
) -> None:
    async with gateway() as served:
        status, answer, _ = await served.post(body=body)
    assert status == 400
    assert says in answer
    assert served.runtime.asked == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "x" * 200])
@in_loop
async def test_another_content_type_is_refused(kind: str) -> None:
    async with gateway() as served:
        assert await served.error(Content_Type=kind) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"]
)
@in_loop
async def test_json_may_be_named_in_other_ways(kind: str) -> None:
    async with gateway() as served:
        assert (await served.post(Content_Type=kind))[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x_perfwright_labels": "key=root"},
        {"x_perfwright_labels": "novalue"},
        {"x_perfwright_labels": ",".join(f"a{n}=1" for n in range(20))},
        {"x_perfwright_priority": "huge"},
        {"x_perfwright_cache": "maybe"},
        {"x_perfwright_timeout_s": "-1"},
        {"x_perfwright_timeout_s": "nan"},
    ],
)
@in_loop
async def test_a_header_of_ours_that_makes_no_sense_is_refused(headers: dict[str, str]) -> None:
    async with gateway() as served:
        assert await served.error(**headers) == (400, "invalid_header")


@in_loop
async def test_more_than_it_bears_at_once_is_refused() -> None:
    runtime = FakeRuntime(gate=asyncio.Event())
    async with gateway(runtime, max_in_flight=1) as served, asyncio.TaskGroup() as group:
        first = group.create_task(served.post())
        await until(lambda: runtime.under_way == 1)
        assert await served.error() == (503, "overloaded")
        assert runtime.gate is not None
        runtime.gate.set()
        assert (await first)[0] == 200


# Keys


@in_loop
async def test_without_a_right_key_nothing_is_answered() -> None:
    async with gateway(keys=[key("alice", SECRET)]) as served:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": f"Basic {SECRET}"},
        ):
            assert await served.error(**headers) == (401, "invalid_api_key")
        for path in ("/v1/models", "/metrics", "/stats"):
            assert (await served.get(path))[0] == 401
    assert served.runtime.asked == []


@pytest.mark.parametrize(
    "headers", [BEARER, {"Authorization": f"bearer {SECRET}"}, {"x_api_key": SECRET}]
)
@in_loop
async def test_a_key_is_taken_as_the_clients_of_both_providers_send_it(
    headers: dict[str, str],
) -> None:
    async with gateway(keys=[key("alice", SECRET)]) as served:
        assert (await served.post(**headers))[0] == 200
    assert served.runtime.asked[0].labels == {"key": "alice"}


@in_loop
async def test_a_key_may_ask_for_its_models_only() -> None:
    alice = key("alice", SECRET, models=frozenset({"small"}))
    async with gateway(keys=[alice]) as served:
        assert await served.error(**BEARER) == (403, "model_not_allowed")
        assert (await served.post(body={**HELLO, "model": "small"}, **BEARER))[0] == 200
        _, listed = await served.get("/v1/models", **BEARER)
    assert msgspec.json.decode(listed)["data"] == []


@in_loop
async def test_a_load_balancer_needs_no_key() -> None:
    async with gateway(keys=[key("alice", SECRET)]) as served:
        assert [(await served.get(path))[0] for path in ("/health", "/ready")] == [200, 200]


# Web pages


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://evil.example"}, "foreign_origin"),
        ({"Origin": "null"}, "foreign_origin"),
        ({"Host": "rebound.example:8780"}, "foreign_host"),
    ],
)
@in_loop
async def test_a_web_page_cannot_spend_through_a_gateway_without_keys(
    headers: dict[str, str], code: str
) -> None:
    async with gateway() as served:
        assert await served.error(**headers) == (403, code)
        assert (await served.get("/stats", **headers))[0] == 403


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://localhost:3000"}, {"Host": "localhost"}, {"Host": "[::1]:80"}]
)
@in_loop
async def test_pages_and_names_of_this_machine_may_call(headers: dict[str, str]) -> None:
    async with gateway() as served:
        assert (await served.post(**headers))[0] == 200


# Pages


@in_loop
async def test_models_are_listed_and_found_one_by_one() -> None:
    async with gateway() as served:
        _, listed = await served.get("/v1/models")
        status, one = await served.get("/v1/models/other/model")
        missing, _ = await served.get("/v1/models/none")
        async with served.client.get(URL("/v1/models/other%2Fmodel", encoded=True)) as found:
            escaped = found.status
    names = [entry["id"] for entry in msgspec.json.decode(listed)["data"]]
    assert names == ["m", "other/model"]
    assert (status, msgspec.json.decode(one)["id"], missing) == (200, "other/model", 404)
    assert escaped == 200


@in_loop
async def test_metrics_show_the_gateways_counts_and_the_pipelines() -> None:
    async with gateway() as served:
        await served.post()
        _, text = await served.get("/metrics")
    assert b'perfwright_gateway_requests_total{route="chat",status="200"} 1.0\n' in text
    assert b"perfwright_llm_requests_total 1.0\n" in text


@pytest.mark.parametrize(
    ("method", "path"), [("OPTIONS", CHAT), ("GET", "/metrics"), ("GET", "/health"), ("GET", "/no")]
)
@in_loop
async def test_no_answer_tells_what_the_server_is_made_of(method: str, path: str) -> None:
    async with gateway() as served, served.client.request(method, path) as answer:
        assert answer.headers["Server"] == "perfwright"


@in_loop
async def test_statistics_are_one_json_document() -> None:
    async with gateway() as served:
        await served.post()
        await served.post(body=b"")
        _, text = await served.get("/stats")
    document = msgspec.json.decode(text)
    assert document["gateway"]["by_status"] == {"200": 1, "400": 1}
    assert document["llm"] == {"requests": 1}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", CHAT, 405),
        ("DELETE", CHAT, 405),
        ("OPTIONS", CHAT, 204),
        ("OPTIONS", "/v1/models", 204),
        ("POST", "/v1/models", 405),
        ("HEAD", "/health", 200),
        ("GET", "/", 404),
        ("POST", "/v1/completions", 404),
        ("GET", "/v1/models/../../etc/passwd", 404),
    ],
)
@in_loop
async def test_other_methods_and_paths_are_answered_as_http_has_it(
    method: str, path: str, status: int
) -> None:
    async with gateway() as served:
        assert (await served.get(path, method=method))[0] == status


# The log


@in_loop
async def test_a_line_of_the_access_log_says_who_and_what_and_nothing_of_the_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = {**HELLO, "messages": [{"role": "user", "content": "my diary"}]}
    with caplog.at_level(logging.INFO, logger="perfwright.gateway.access"):
        async with gateway(keys=[key("alice", SECRET)], access_log=True) as served:
            await served.post(f"{CHAT}?api_key=sk-query", body, **BEARER)
    line: dict[str, Any] = msgspec.json.decode(caplog.messages[0])
    assert (line["status"], line["key"], line["model"], line["tokens"]) == (200, "alice", "m", 5)
    assert not any(each in caplog.text for each in ("diary", "sk-query", SECRET))


@in_loop
async def test_there_is_no_access_log_unless_it_is_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger="perfwright.gateway.access"):
        async with gateway() as served:
            await served.post()
    assert caplog.messages == []
