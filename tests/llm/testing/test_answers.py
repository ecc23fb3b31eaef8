from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from perfwright.llm.testing import SimulatedProvider
from tests.llm.testing.asking import chat, get, post, raw

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "ok": {"enum": ["y"]}},
}


def test_an_answer_follows_from_the_prompt(shared: SimulatedProvider) -> None:
    texts = [
        post(shared, "/chat/completions", chat(prompt)).json["choices"][0]["message"]["content"]
        for prompt in ("one", "one", "two")
    ]
    assert texts[0] == texts[1] != texts[2]


def test_tokens_are_counted_by_four_characters(shared: SimulatedProvider) -> None:
    usage = post(shared, "/chat/completions", chat("x" * 34)).json["usage"]
    assert usage["prompt_tokens"] == 10  # "user: " and 34 characters
    assert usage["completion_tokens"] == 16


def test_the_callers_bound_cuts_the_answer(shared: SimulatedProvider) -> None:
    answer = post(shared, "/chat/completions", chat(max_tokens=3)).json
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("tools", [None, [{"type": "function", "function": {"name": "look"}}]])
def test_a_stream_of_chat_holds_the_plain_answer(
    shared: SimulatedProvider, tools: list[object] | None
) -> None:
    if tools:
        tools[0]["function"]["parameters"] = SCHEMA  # type: ignore[index]
    body = chat("same", tools=tools)
    whole = post(shared, "/chat/completions", body).json["choices"][0]
    streamed = post(
        shared,
        "/chat/completions",
        body | {"stream": True, "stream_options": {"include_usage": True}},
    ).events
    assert streamed[-1] == "[DONE]"
    assert streamed[-2]["usage"]["total_tokens"] > 0
    deltas = [event["choices"][0]["delta"] for event in streamed[:-2]]
    if tools:
        calls = [delta["tool_calls"][0]["function"] for delta in deltas if "tool_calls" in delta]
        arguments = "".join(call["arguments"] for call in calls)
        assert arguments == whole["message"]["tool_calls"][0]["function"]["arguments"]
        assert json.loads(arguments)["ok"] == "y"
    else:
        assert "".join(d.get("content") or "" for d in deltas) == whole["message"]["content"]
    assert streamed[-3]["choices"][0]["finish_reason"] == whole["finish_reason"]


def test_a_stream_of_responses_ends_with_the_plain_answer(shared: SimulatedProvider) -> None:
    body = {"model": "sim", "input": "same"}
    whole = post(shared, "/responses", body).json
    streamed = post(shared, "/responses", body | {"stream": True}).events
    text = "".join(e["delta"] for e in streamed if e["type"] == "response.output_text.delta")
    assert text == whole["output"][0]["content"][0]["text"]
    assert streamed[-1]["type"] == "response.completed"
    assert streamed[-1]["response"]["usage"] == whole["usage"]


def test_a_stream_of_messages_holds_the_plain_answer(shared: SimulatedProvider) -> None:
    body = chat("same", max_tokens=50)
    whole = post(shared, "/messages", body).json
    streamed = post(shared, "/messages", body | {"stream": True}).events
    text = "".join(e["delta"]["text"] for e in streamed if e["type"] == "content_block_delta")
    assert text == whole["content"][0]["text"]
    assert streamed[-2]["usage"]["output_tokens"] == whole["usage"]["output_tokens"]
    assert streamed[-1] == {"type": "message_stop"}


def test_an_answer_in_json_follows_its_schema(shared: SimulatedProvider) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "trip", "schema": SCHEMA}}
    answer = post(shared, "/chat/completions", chat(response_format=wanted)).json
    content = json.loads(answer["choices"][0]["message"]["content"])
    assert content.keys() == {"city", "days", "ok"}
    assert isinstance(content["days"], int)


def test_a_tool_is_not_called_again_once_its_result_is_there(shared: SimulatedProvider) -> None:
    body = chat(tools=[{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}])
    body["messages"] = [*body["messages"], {"role": "tool", "content": "42", "tool_call_id": "c"}]
    choice = post(shared, "/chat/completions", body).json["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert "tool_calls" not in choice["message"]


def test_embeddings_are_of_length_one_in_the_order_of_their_texts(
    shared: SimulatedProvider,
) -> None:
    both = post(shared, "/embeddings", {"model": "e", "input": ["a", "b"]}).json["data"]
    alone = post(shared, "/embeddings", {"model": "e", "input": "b"}).json["data"][0]
    assert both[1]["embedding"] == alone["embedding"] != both[0]["embedding"]
    assert math.hypot(*alone["embedding"]) == pytest.approx(1.0)


def test_a_repeated_beginning_is_cached_in_whole_blocks(shared: SimulatedProvider) -> None:
    first = post(shared, "/chat/completions", chat("x" * 8000 + "one")).json["usage"]
    second = post(shared, "/chat/completions", chat("x" * 8000 + "two")).json["usage"]
    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    assert second["prompt_tokens_details"]["cached_tokens"] == 8006 // 512 * 128


def test_anthropics_form_caches_only_what_is_marked(shared: SimulatedProvider) -> None:
    system = [{"type": "text", "text": "y" * 8000, "cache_control": {"type": "ephemeral"}}]
    marked = {**chat("hi", max_tokens=5), "system": system}
    usages = [post(shared, "/messages", marked).json["usage"] for _ in range(2)]
    plain = {**chat("hi", max_tokens=5), "system": "z" * 8000}
    unmarked = [post(shared, "/messages", plain).json["usage"] for _ in range(2)]
    assert usages[0]["cache_creation_input_tokens"] == usages[1]["cache_read_input_tokens"] > 1800
    assert unmarked[1]["cache_read_input_tokens"] == 0


def test_requests_on_one_connection_are_answered_in_order(shared: SimulatedProvider) -> None:
    def request(text: str) -> bytes:
        body = json.dumps(chat(text)).encode()
        return b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s" % (
            len(body),
            body,
        )

    alone = [post(shared, "/chat/completions", chat(text)).json for text in ("p1", "p2", "p3")]
    texts = [answer["choices"][0]["message"]["content"] for answer in alone]
    last = b"GET /v1/nowhere HTTP/1.1\r\n\r\n"
    read = raw(shared, b"".join(map(request, ("p1", "p2", "p3"))) + last, until=b"nowhere")
    assert [read.find(text.encode()) for text in texts] == sorted(
        read.find(t.encode()) for t in texts
    )
    assert all(text.encode() in read for text in texts)


def test_a_chunked_request_is_read(shared: SimulatedProvider) -> None:
    body = json.dumps(chat("chunks")).encode()
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:half], body[half:]))
    head = b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    read = raw(shared, head + chunks + b"0\r\n\r\n", until=b'"total_tokens"')
    assert read.startswith(b"HTTP/1.1 200 OK")


def test_an_unknown_address_is_not_found(shared: SimulatedProvider) -> None:
    assert get(shared, "/nowhere").status == 404


def test_a_body_without_a_prompt_is_refused(shared: SimulatedProvider) -> None:
    assert post(shared, "/chat/completions", {"model": "sim"}).status == 400
    assert post(shared, "/chat/completions", b"{").status == 400


def test_a_batch_of_files_is_answered_by_identifier(shared: SimulatedProvider) -> None:
    lines = [
        {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": chat(text)}
        for name, text in (("a", "fine"), ("b", "[refuse] this"))
    ]
    content = b"\n".join(json.dumps(line).encode() for line in lines)
    form = (
        b'--XX\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        b'--XX\r\ncontent-disposition: form-data; name="file"; filename="in.jsonl"\r\n'
        b"content-type: application/octet-stream\r\n\r\n" + content + b"\r\n--XX--\r\n"
    )
    headers = {"content-type": "multipart/form-data; boundary=XX"}
    file = post(shared, "/files", form, headers=headers).json
    shared.set(batch_s=0.0)
    order = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions"}
    batch = post(shared, "/batches", order).json
    assert batch["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    (good,) = get(shared, f"/files/{batch['output_file_id']}/content").body.splitlines()
    (bad,) = get(shared, f"/files/{batch['error_file_id']}/content").body.splitlines()
    assert json.loads(good)["custom_id"] == "a"
    assert json.loads(bad)["response"]["status_code"] == 400
    assert shared.counts()["batched"]["sim"]["completion_tokens"] == 16


def test_a_batch_of_messages_is_answered_when_it_is_due(shared: SimulatedProvider) -> None:
    shared.set(batch_s=3600.0)
    asked = {"requests": [{"custom_id": "a", "params": chat(max_tokens=5)}]}
    waiting = post(shared, "/messages/batches", asked).json
    assert waiting["processing_status"] == "in_progress"
    shared.set(batch_s=0.0)
    done = post(shared, "/messages/batches", asked).json
    results = get(shared, f"/messages/batches/{done['id']}/results").body
    assert done["processing_status"] == "ended"
    assert json.loads(results)["result"]["type"] == "succeeded"


COMMAND = [sys.executable, "-m", "perfwright.llm.testing"]


def test_the_command_line_takes_orders_in_lines_of_json() -> None:
    orders = b'{"set": {"latency_s": 0.1}, "counts": true}\n{"set": {"latency_s": -1}}\n'
    options = ["--ends-with-stdin", "--set", 'models=["m"]']
    done = subprocess.run(
        [*COMMAND, *options], input=orders, capture_output=True, timeout=20, check=True
    )
    address, counts, refusal = map(json.loads, done.stdout.splitlines())
    assert address["base_url"].startswith("http://127.0.0.1:")
    assert counts["counts"]["attempts"] == 0
    assert "latency_s" in refusal["error"]


def test_the_command_line_refuses_a_setting_that_cannot_be() -> None:
    done = subprocess.run(
        [*COMMAND, "--set", "latency_s=many"], capture_output=True, timeout=20, check=False
    )
    assert done.returncode == 2
    assert b"latency_s = 'many'" in done.stderr


def test_the_command_line_ends_at_once_where_nobody_can_close_its_input() -> None:
    command = [*COMMAND, "--ends-with-stdin"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
