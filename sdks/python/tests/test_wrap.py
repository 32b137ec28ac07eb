"""Clients that record by themselves: the official ones of OpenAI, Anthropic and AWS, against a server on this machine."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import promptops
import pytest
from conftest import recorded, vectors
from loopback import Provider, provider

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")
boto3 = pytest.importorskip("boto3")

INTENT = "customer-support.intent-classifier"
MESSAGES: list[Any] = [{"role": "user", "content": "x"}]


def reply(name: str) -> Any:
    return next(case["reply"] for case in vectors("reply.json")["cases"] if case["name"] == name)


def events(name: str) -> list[Any]:
    return next(case["events"] for case in vectors("stream.json")["cases"] if case["name"] == name)


CHAT, RESPONSES, CLAUDE = reply("openai chat"), reply("openai responses"), reply("anthropic messages: input counts the cache")
CONVERSE = {name: value for name, value in reply("bedrock converse: input counts the cache").items() if name != "ResponseMetadata"}
CLAUDE_EVENTS, CONVERSE_EVENTS = events("anthropic messages: input counts the cache"), events("bedrock converse: input counts the cache")


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider() as server:
        yield server


@pytest.fixture
def prompt(locked: promptops.Loader) -> promptops.Prompt:
    return locked.load_prompt(INTENT)


def openai_client(server: Provider) -> Any:
    return server.client(openai.OpenAI(api_key="key", base_url=f"{server.url}/v1", max_retries=0))


def async_openai_client(server: Provider) -> Any:
    return openai.AsyncOpenAI(api_key="key", base_url=f"{server.url}/v1", max_retries=0)


def anthropic_client(server: Provider) -> Any:
    return server.client(anthropic.Anthropic(api_key="key", base_url=server.url, max_retries=0))


def async_anthropic_client(server: Provider) -> Any:
    return anthropic.AsyncAnthropic(api_key="key", base_url=server.url, max_retries=0)


def bedrock_client(server: Provider) -> Any:
    session = boto3.session.Session("id", "secret", region_name="us-east-1")
    config = __import__("botocore.config").config.Config(retries={"total_max_attempts": 1})
    return server.client(session.client("bedrock-runtime", endpoint_url=server.url, config=config))


def chat(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="gpt", messages=MESSAGES, **more)


def claude(client: Any, **more: Any) -> Any:
    return client.messages.create(model="claude", max_tokens=16, messages=MESSAGES, **more)


def converse(client: Any) -> Any:
    return client.converse(modelId="nova", messages=[{"role": "user", "content": [{"text": "x"}]}])


def converse_stream(client: Any) -> Any:
    return client.converse_stream(modelId="nova", messages=[{"role": "user", "content": [{"text": "x"}]}])


def test_a_wrapped_client_is_the_client(server: Provider) -> None:
    for make in [openai_client, async_openai_client, anthropic_client, async_anthropic_client, bedrock_client]:
        client = make(server)
        kind, attributes = type(client), set(dir(client))
        assert promptops.wrap(client) is client and promptops.wrap(client) is client
        assert type(client) is kind
        assert set(dir(client)) - attributes == {"_promptops_is_wrapped"}
    for other in [object(), None, openai, boto3.client("s3", region_name="us-east-1")]:
        with pytest.raises(TypeError, match="can be wrapped, not `"):
            promptops.wrap(other)


def test_replies_are_recorded(server: Provider, prompt: promptops.Prompt, tmp_path: Path) -> None:
    openai_, claude_, bedrock = (promptops.wrap(make(server)) for make in [openai_client, anthropic_client, bedrock_client])
    server.answer(CHAT, x_request_id="req_1")
    server.answer(RESPONSES)
    server.answer(CLAUDE, request_id="req_2")
    server.answer(CONVERSE, x_amzn_requestid="7d1f")
    ids = []
    for call_model in [
        lambda: chat(openai_, max_tokens=prompt.parameters["max_tokens"]),
        lambda: openai_.responses.create(model="gpt", input="x"),
        lambda: claude(claude_),
        lambda: converse(bedrock),
    ]:
        with prompt.invocation() as call:
            prompt.messages(message="Where is my invoice?")
            call_model()
        ids.append(call.request_id)
    assert server.asked[0]["max_tokens"] == 16
    assert ids == ["req_1", "resp_1", "req_2", "7d1f"]
    found = [
        [record.get(name) for name in ["requested_model", "label", "input_tokens", "cached_tokens", "reasoning_tokens", "finish_reason"]]
        for record in recorded(tmp_path)
    ]
    assert found == [
        ["gpt", "billing", 120, 64, 7, "stop"],
        ["gpt", "technical", 40, 0, 10, "stop"],
        ["claude", "billing", 1210, 1000, 21, "stop"],
        ["nova", None, 60, 50, None, "length"],
    ]
    assert all(record["prompt_version"] == 2 and record["input_hash"] for record in recorded(tmp_path))


def test_streams_are_recorded_and_pass_unchanged(server: Provider, prompt: promptops.Prompt, tmp_path: Path) -> None:
    server.answer_events(events("openai chat"), x_request_id="req_1")
    server.answer_events(events("openai responses"), named=True)
    server.answer_events(CLAUDE_EVENTS, named=True, request_id="req_2")
    server.answer_aws_events(CONVERSE_EVENTS, x_amzn_requestid="7d1f")
    openai_, claude_, bedrock = (promptops.wrap(make(server)) for make in [openai_client, anthropic_client, bedrock_client])
    asked: list[tuple[Callable[[], Any], list[Any]]] = [
        (lambda: chat(openai_, stream=True), events("openai chat")),
        (lambda: openai_.responses.create(model="gpt", input="x", stream=True), events("openai responses")),
        (lambda: claude(claude_, stream=True), CLAUDE_EVENTS),
        (lambda: converse_stream(bedrock)["stream"], CONVERSE_EVENTS),
    ]
    kinds, ids = [], []
    for call_model, expected in asked:
        with prompt.invocation() as call:
            stream = call_model()
            kinds.append(stream.__class__.__name__)
            assert isinstance(stream, stream.__class__)
            chunks = list(stream)
            assert [one if isinstance(one, dict) else json.loads(one.to_json(exclude_unset=True)) for one in chunks] == expected
        ids.append(call.request_id)
    assert kinds == ["Stream", "Stream", "Stream", "EventStream"]
    assert ids == ["req_1", "resp_1", "req_2", "7d1f"]
    records = recorded(tmp_path)
    assert [record["label"] for record in records] == ["billing", "technical", "billing", "technical"]
    assert [record["input_tokens"] for record in records] == [120, 40, 1210, 60]
    assert all(0 < record["time_to_first_token_ms"] <= record["latency_ms"] for record in records)


def test_helpers_for_streams(server: Provider, prompt: promptops.Prompt, tmp_path: Path) -> None:
    server.answer_events(CLAUDE_EVENTS, named=True)
    client = promptops.wrap(anthropic_client(server))
    ask = {"model": "claude", "max_tokens": 16, "messages": MESSAGES}
    with prompt.invocation(), client.messages.stream(**ask) as stream:
        assert "".join(stream.text_stream) == "billing"
        assert stream.get_final_message().usage.output_tokens == 30
    server.answers.clear()
    server.answer_events(events("openai chat"))
    openai_ = promptops.wrap(openai_client(server))
    with prompt.invocation(), openai_.chat.completions.stream(model="gpt", messages=MESSAGES) as stream:
        assert "content.delta" in [event.type for event in stream]
        assert stream.get_final_completion().choices[0].message.content == " billing"
    server.answers.clear()
    server.answer_events(events("openai responses"), named=True)
    with prompt.invocation(), openai_.responses.stream(model="gpt", input="x") as stream:
        assert stream.get_final_response().output_text == "technical"
    records = recorded(tmp_path)
    assert [(record["label"], record["requested_model"]) for record in records] == [
        ("billing", "claude"), ("billing", "gpt"), ("technical", "gpt"),
    ]  # fmt: skip
    assert all(record["time_to_first_token_ms"] > 0 for record in records)


def test_helpers_for_streams_of_clients_that_are_not_wrapped(server: Provider, prompt: promptops.Prompt, tmp_path: Path) -> None:
    server.answer_events(CLAUDE_EVENTS, named=True)
    helper = anthropic_client(server).messages.stream
    ask = {"model": "claude", "max_tokens": 16, "messages": MESSAGES}
    with prompt.invocation() as call, call.record(helper(**ask)) as stream:
        assert [event.type for event in stream][0] == "message_start"
    with prompt.invocation() as call, call.record(helper(**ask)) as stream:
        assert "".join(stream.text_stream) == "billing"
    with prompt.invocation() as call, call.record(helper(**ask)) as stream:
        assert stream.get_final_message().stop_reason == "end_turn"
    records = recorded(tmp_path)
    assert [(record["label"], record["output_tokens"]) for record in records] == [("billing", 30)] * 3
    assert [record.get("time_to_first_token_ms", 0) > 0 for record in records] == [True, True, False]


def test_asynchronous_clients(server: Provider, prompt: promptops.Prompt, tmp_path: Path) -> None:
    async def run() -> None:
        openai_, claude_ = promptops.wrap(async_openai_client(server)), promptops.wrap(async_anthropic_client(server))
        server.answer(CHAT)
        async with prompt.invocation():
            assert (await chat(openai_)).choices[0].message.content == " billing\n"
        server.answers.clear()
        server.answer_events(events("openai chat"))
        async with prompt.invocation(), await chat(openai_, stream=True) as stream:
            assert isinstance(stream, openai.AsyncStream)
            assert len([chunk async for chunk in stream]) == 5
        server.answers.clear()
        server.answer_events(CLAUDE_EVENTS, named=True)
        async with prompt.invocation(), claude_.messages.stream(model="claude", max_tokens=16, messages=MESSAGES) as stream:
            assert [text async for text in stream.text_stream] == ["bill", "ing"]
        server.answers.clear()
        server.answer({"error": {"type": "overloaded_error", "message": "m"}}, 529)
        with pytest.raises(anthropic.APIStatusError):
            async with prompt.invocation():
                await claude(claude_)
        # Each task is inside of its own invocation.
        server.answers.clear()
        server.answer(CHAT)

        async def one(session: str) -> None:
            async with prompt.invocation(session=session):
                await chat(openai_)

        await asyncio.gather(*(one(str(number)) for number in range(8)))
        await openai_.close()
        await claude_.close()

    asyncio.run(run())
    records = recorded(tmp_path)
    assert [record.get("label") for record in records[:4]] == ["billing", "billing", "billing", None]
    assert records[3]["error_type"] == "overloaded"
    assert sorted(record["session"] for record in records[4:]) == [str(number) for number in range(8)]


def test_raw_responses(server: Provider, prompt: promptops.Prompt, tmp_path: Path) -> None:
    client = promptops.wrap(openai_client(server))
    server.answer(CHAT, x_request_id="req_1")
    with prompt.invocation() as call:
        raw = client.chat.completions.with_raw_response.create(model="gpt", messages=MESSAGES)
        assert raw.parse() is raw.parse() and raw.parse().id == "chatcmpl-1"
    assert call.request_id == "req_1"
    with prompt.invocation(), client.chat.completions.with_streaming_response.create(model="gpt", messages=MESSAGES) as raw:
        assert raw.parse().id == "chatcmpl-1"
    with prompt.invocation(), client.chat.completions.with_streaming_response.create(model="gpt", messages=MESSAGES) as raw:
        assert b"chatcmpl-1" in raw.read()
    server.answers.clear()
    server.answer_events(events("openai chat"))
    with prompt.invocation():
        raw = client.chat.completions.with_raw_response.create(model="gpt", messages=MESSAGES, stream=True)
        assert raw.parse() is raw.parse()
        assert len(list(raw.parse())) == 5
    records = recorded(tmp_path)
    assert [record.get("label") for record in records] == ["billing", "billing", None, "billing"]
    assert {record["status"] for record in records} == {"ok"}


def test_parsed_replies_and_copies(server: Provider, prompt: promptops.Prompt, tmp_path: Path) -> None:
    server.answer({**CHAT, "choices": [{**CHAT["choices"][0], "message": {"role": "assistant", "content": "{}"}}]})
    client = promptops.wrap(openai_client(server))
    model = __import__("pydantic").create_model("Answer")
    with prompt.invocation():
        reply = client.with_options(timeout=3).chat.completions.parse(model="gpt", messages=MESSAGES, response_format=model)
        assert isinstance(reply.choices[0].message.parsed, model)
    with prompt.invocation():
        chat(client.copy())
    assert [record["output_length"] for record in recorded(tmp_path)] == [2, 2]


def test_errors_are_recorded_and_raised(server: Provider, prompt: promptops.Prompt, tmp_path: Path) -> None:
    clients = [promptops.wrap(make(server)) for make in [openai_client, anthropic_client]]
    bedrock = promptops.wrap(bedrock_client(server))
    for status, expected in [(429, "rate_limit"), (401, "authentication"), (400, "invalid_request"), (500, "server_error")]:
        server.answers.clear()
        server.answer({"error": {"type": "x", "message": "no"}}, status)
        for client, call_model in zip(clients, [chat, claude], strict=True):
            with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)), prompt.invocation():
                call_model(client)
        assert [record["error_type"] for record in recorded(tmp_path)[-2:]] == [expected] * 2
    server.answers.clear()
    server.answer({"message": "slow down"}, 429, x_amzn_errortype="ThrottlingException")
    with pytest.raises(bedrock.exceptions.ThrottlingException), prompt.invocation():
        converse(bedrock)
    server.answers.clear()
    server.answer_aws_events([*CONVERSE_EVENTS[:2], {"modelStreamErrorException": {"message": "broke"}}])
    with pytest.raises(Exception, match="modelStreamErrorException"), prompt.invocation():
        list(converse_stream(bedrock)["stream"])
    server.answers.clear()
    server.answer_events([*events("openai chat")[:2], {"error": {"message": "broke", "type": "server_error"}}])
    with pytest.raises(openai.APIError), prompt.invocation():
        list(chat(clients[0], stream=True))
    throttled, aws, api = recorded(tmp_path)[-3:]
    assert throttled["error_type"] == "rate_limit"
    assert [(one["status"], one["output_length"]) for one in [aws, api]] == [("error", 4), ("error", 4)]
    assert [aws["error_type"], api["error_type"]] == ["server_error", "server_error"]
    nobody = promptops.wrap(server.client(openai.OpenAI(api_key="key", base_url="http://127.0.0.1:1/v1", max_retries=0)))
    with pytest.raises(openai.APIConnectionError), prompt.invocation():
        chat(nobody)
    assert recorded(tmp_path)[-1]["error_type"] == "connection"


def test_a_failed_try_and_the_next(server: Provider, prompt: promptops.Prompt, tmp_path: Path) -> None:
    """An agent's loop: one invocation, several calls of models; each is a record, and they are a tree."""
    client = promptops.wrap(openai_client(server))
    server.answer({"error": {"message": "no"}}, 500)
    server.answer(CHAT)
    with prompt.invocation(session="s", agent="planner", stratum="de") as call:
        with pytest.raises(openai.InternalServerError):
            chat(client)
        chat(client)
        chat(client)
    records = {record["invocation_id"]: record for record in recorded(tmp_path)}
    outer = records.pop(call.id)
    assert outer["error_type"] == "server_error"
    assert [record["parent_invocation"] for record in records.values()] == [call.id] * 2
    assert {(record["session"], record["agent"], record["stratum"], record["label"]) for record in records.values()} == {
        ("s", "planner", "de", "billing")
    }


def test_what_a_wrapped_client_has_recorded_is_not_recorded_twice(server: Provider, prompt: promptops.Prompt, tmp_path: Path) -> None:
    client = promptops.wrap(openai_client(server))
    server.answer(CHAT)
    with prompt.invocation() as call:
        assert call.record(chat(client), cost_usd=0.002) is True
        assert call.record("text") is True
    server.answers.clear()
    server.answer_events(events("openai chat"))
    with prompt.invocation() as call:
        assert len(list(call.record(chat(client, stream=True), cost_usd=0.003))) == 5
    records = recorded(tmp_path)
    assert [(record["input_tokens"], record["cost_usd"], record["output_length"]) for record in records] == [(120, 0.002, 9), (120, 0.003, 8)]


def test_outside_of_an_invocation_nothing_happens(server: Provider, prompt: promptops.Prompt, tmp_path: Path) -> None:
    client = promptops.wrap(openai_client(server))
    server.answer(CHAT)
    assert type(chat(client)).__name__ == "ChatCompletion"
    server.answers.clear()
    server.answer_events(events("openai chat"))
    stream = chat(client, stream=True)
    assert type(stream) is openai.Stream
    stream.close()
    bedrock = promptops.wrap(bedrock_client(server))
    server.answers.clear()
    server.answer_aws_events(CONVERSE_EVENTS)
    aws_stream = converse_stream(bedrock)["stream"]
    assert type(aws_stream).__name__ == "EventStream"
    aws_stream.close()
    # Nor inside of one for what is no call of a model.
    server.answers.clear()
    server.answer({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.0]}], "model": "e",
                   "usage": {"prompt_tokens": 1, "total_tokens": 1}})  # fmt: skip
    with prompt.invocation() as call:
        client.embeddings.create(model="e", input="x", encoding_format="float")
        call.record("billing")
    (record,) = recorded(tmp_path)
    assert record["label"] == "billing" and record["requested_model"] == "claude-3-5-sonnet"


def test_a_stream_that_a_helper_leaves_early(server: Provider, prompt: promptops.Prompt, tmp_path: Path) -> None:
    server.answer_events(events("openai chat"))
    client = promptops.wrap(openai_client(server))
    with prompt.invocation():
        with client.chat.completions.stream(model="gpt", messages=MESSAGES) as stream:
            for event in stream:
                if event.type == "content.delta" and event.delta:
                    break
        del stream
        gc.collect()
    (record,) = recorded(tmp_path)
    assert (record["status"], record["output_length"]) == ("ok", 4)


def test_failures_of_recording_never_reach_the_caller(server: Provider, locked: promptops.Loader, tmp_path: Path) -> None:
    client = promptops.wrap(openai_client(server))
    server.answer(CHAT)
    with locked.load_prompt(INTENT).invocation():
        # Neither options that are none nor a method that is none break the call; the client decides what they are.
        with pytest.raises(AttributeError):
            client.request(object, object())
        assert chat(client).id == "chatcmpl-1"
    assert locked.dropped == 1
    assert recorded(tmp_path)[0]["label"] == "billing"
