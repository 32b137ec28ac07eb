"""Recording calls: what enters the record, and that recording never raises."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import promptops
import pytest
from conftest import recorded, vectors

INTENT = "customer-support.intent-classifier"


def reply(name: str) -> dict[str, Any]:
    return next(case["reply"] for case in vectors("reply.json")["cases"] if case["name"] == name)


def test_a_call_is_one_record(locked: promptops.Loader, tmp_path: Path) -> None:
    prompt = locked.load_prompt(INTENT)
    parent = str(uuid.uuid4())
    with prompt.invocation(session="s", agent="a", stratum="de", parent=parent, trace_id="0" * 31 + "1") as call:
        prompt.messages(message="first")
        messages = prompt.messages(message="Where is my invoice?")
        call.first_token()
        assert call.record(reply("openai chat"), cost_usd=0.002) is True
        call.score("kindness", 0.5)
        assert (call.label, call.valid, call.request_id) == ("billing", True, "chatcmpl-1")
        assert call.prompt == prompt
    (record,) = recorded(tmp_path)
    assert uuid.UUID(record["invocation_id"]).version == 7 and record["invocation_id"] == call.id
    assert record["prompt_id"] == INTENT and record["prompt_version"] == 2 and record["prompt_digest"] == prompt.digest
    assert record["requested_model"] == "claude-3-5-sonnet" and record["environment"] == "prod"
    assert 0 < record["time_to_first_token_ms"] <= record["latency_ms"] < 60_000
    assert (record["session"], record["agent"], record["stratum"]) == ("s", "a", "de")
    assert (record["parent_invocation"], record["trace_id"]) == (parent, "0" * 31 + "1")
    assert (record["cost_usd"], record["scores"]) == (0.002, {"kindness": 0.5})
    # The hash is of what was rendered last: RFC 8785 JSON of role and text of each message.
    pairs = [[message["role"], message["content"]] for message in messages]
    text = json.dumps(pairs, separators=(",", ":"), ensure_ascii=False)
    assert record["input_hash"] == "sha256:" + __import__("hashlib").sha256(text.encode()).hexdigest()
    assert "Where is my invoice?" not in json.dumps(record)


def test_the_callers_own_facts_win(locked: promptops.Loader, tmp_path: Path) -> None:
    prompt = locked.load_prompt(INTENT)
    with prompt.invocation() as call:
        call.record("I think: billing", label="billing", valid=True)
    (record,) = recorded(tmp_path)
    assert (record["label"], record["valid"], record["output_length"]) == ("billing", True, 16)


def test_exceptions_are_recorded_and_pass(locked: promptops.Loader, tmp_path: Path) -> None:
    class APITimeoutError(Exception):
        pass

    class ClientError(Exception):
        def __init__(self) -> None:
            self.response = {"Error": {"Code": "ThrottlingException"}}

    prompt = locked.load_prompt(INTENT)
    for error in [APITimeoutError(), ClientError(), KeyError("x")]:
        with pytest.raises(type(error)), prompt.invocation():
            raise error
    with pytest.raises(ValueError), prompt.invocation() as call:
        call.record("billing")
        raise ValueError
    with prompt.invocation():
        pass
    with prompt.invocation() as call:
        call.error("cancelled")
    ends = [(record["status"], record.get("error_type")) for record in recorded(tmp_path)]
    assert ends == [
        ("error", "timeout"),
        ("error", "rate_limit"),
        ("error", "key_error"),
        ("ok", None),
        ("error", "unfinished"),
        ("error", "cancelled"),
    ]


def test_a_call_without_with_is_recorded_when_it_is_let_go(locked: promptops.Loader, tmp_path: Path) -> None:
    call = locked.load_prompt(INTENT).invocation()
    call.record("technical")
    assert not (tmp_path / "calls.jsonl").read_text()
    del call
    assert recorded(tmp_path)[0]["label"] == "technical"


def test_tasks_do_not_mix_their_inputs(locked: promptops.Loader, tmp_path: Path) -> None:
    prompt = locked.load_prompt(INTENT)

    async def one(message: str) -> None:
        with prompt.invocation(session=message) as call:
            await asyncio.sleep(0)
            prompt.messages(message=message)
            await asyncio.sleep(0)
            call.record("billing")

    async def both() -> None:
        await asyncio.gather(one("a"), one("b"), one("a"))

    asyncio.run(both())
    hashes = {(record["session"], record["input_hash"]) for record in recorded(tmp_path)}
    assert len(hashes) == 2 and len(recorded(tmp_path)) == 3


def test_another_prompts_text_is_no_input(locked: promptops.Loader, tmp_path: Path) -> None:
    with locked.load_prompt(INTENT).invocation() as call:
        locked.load_prompt("shared.tone").render()
        call.record("billing")
    locked.load_prompt(INTENT).messages(message="outside")
    assert "input_hash" not in recorded(tmp_path)[0]


@pytest.mark.filterwarnings("ignore::promptops.PromptOpsWarning")
@pytest.mark.parametrize("odd", [None, 3, object(), object, [], {1: 2}, b"x", "\ud800", float("nan")])
def test_whatever_is_recorded_nothing_is_raised(odd: object, locked: promptops.Loader, tmp_path: Path) -> None:
    with locked.load_prompt(INTENT).invocation(parent="no id") as call:
        call.record(odd)
        call.record(odd)
    assert recorded(tmp_path)[0]["status"] == "ok"


@pytest.mark.filterwarnings("ignore::promptops.PromptOpsWarning")
def test_objects_that_dump_badly_are_taken(locked: promptops.Loader, tmp_path: Path) -> None:
    class Bad:
        def model_dump(self) -> dict[str, Any]:
            raise RuntimeError

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError

    with locked.load_prompt(INTENT).invocation() as call:
        assert call.record(Bad()) is False
    assert recorded(tmp_path)[0]["status"] == "ok"


def test_openai_objects(locked: promptops.Loader, tmp_path: Path) -> None:
    chat = pytest.importorskip("openai.types.chat")
    responses = pytest.importorskip("openai.types.responses")
    prompt = locked.load_prompt(INTENT)
    completion = chat.ChatCompletion.model_validate(reply("openai chat"))
    completion._request_id = "req_1"
    for one in [completion, responses.Response.model_validate(reply("openai responses"))]:
        with prompt.invocation() as call:
            assert call.record(one)
    assert call.request_id == "resp_1"
    first, second = recorded(tmp_path)
    assert (first["input_tokens"], first["cached_tokens"], first["label"]) == (120, 64, "billing")
    assert (second["output_tokens"], second["reasoning_tokens"], second["label"]) == (12, 10, "technical")


def test_anthropic_objects(locked: promptops.Loader, tmp_path: Path) -> None:
    types = pytest.importorskip("anthropic.types")
    message = types.Message.model_validate(reply("anthropic messages: input counts the cache"))
    message._request_id = "req_2"
    with locked.load_prompt(INTENT).invocation() as call:
        assert call.record(message)
        assert call.request_id == "req_2"
    (record,) = recorded(tmp_path)
    assert (record["input_tokens"], record["reasoning_tokens"], record["label"]) == (1210, 21, "billing")


def test_metrics_on_standard_output(tmp_path: Path, locked: promptops.Loader, capfd: pytest.CaptureFixture[str]) -> None:
    loader = promptops.Loader(lock="promptops.lock", emf=True, service="router", environment="staging")
    with loader.load_prompt(INTENT).invocation() as call:
        call.record(reply("openai chat"))
    event = json.loads(capfd.readouterr().out)
    assert event["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "PromptOps"
    assert (event["prompt_id"], event["environment"], event["InputTokens"]) == (INTENT, "staging", 120)


def test_a_full_disk_is_counted(locked: promptops.Loader) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    loader = promptops.Loader(lock="promptops.lock", invocations="/dev/full")
    with loader.load_prompt(INTENT).invocation() as call:
        call.record("billing")
    loader.flush()
    assert loader.dropped == 1
