"""Replies that come in events: the cases that every SDK passes, as dicts and as objects of the official packages."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import promptops
import pytest
from conftest import cases, recorded, vectors

INTENT = "customer-support.intent-classifier"


def events(name: str) -> list[Any]:
    return next(case["events"] for case in vectors("stream.json")["cases"] if case["name"] == name)


def classifier(folder: Path, output: Any) -> promptops.Prompt:
    text = f"id: classify\nversion: 1\nowner: o\nmodel: m\ntags: []\noutput: {json.dumps(output)}\ntemplate: Classify.\n"
    (folder / "classify.yaml").write_text(text)
    return promptops.Loader(prompts=".", invocations="calls.jsonl").load_prompt("classify")


def typed(case: dict[str, Any]) -> list[Any]:
    """The events as objects of the package that they come from, which checks that it knows their shape."""
    pydantic = pytest.importorskip("pydantic")
    module, _, name = case["types"].rpartition(".")
    adapter = pydantic.TypeAdapter(getattr(pytest.importorskip(module), name))
    objects = [adapter.validate_python(event, strict=False) for event in case["events"]]
    for event, made in zip(case["events"], objects, strict=True):
        assert made.model_dump(mode="json", exclude_unset=True) == event, "no member is lost"
    return objects


@pytest.mark.filterwarnings("ignore::promptops.PromptOpsWarning")
@pytest.mark.parametrize("case", cases("stream.json"))
def test_vectors(case: dict[str, Any], tmp_path: Path) -> None:
    check(case, case["events"], tmp_path)


@pytest.mark.filterwarnings("ignore::promptops.PromptOpsWarning")
@pytest.mark.parametrize("case", [case for case in cases("stream.json") if "." in (case.values[0]["types"] or "")])
def test_vectors_as_objects(case: dict[str, Any], tmp_path: Path) -> None:
    check(case, typed(case), tmp_path)


def check(case: dict[str, Any], stream: list[Any], tmp_path: Path) -> None:
    with classifier(tmp_path, case["output"]).invocation() as call:
        if "ResponseMetadata" in case["head"] or "$metadata" in case["head"]:
            reply = {**case["head"], "stream": iter(stream)}
            chunks = call.record(reply)["stream"]
        else:
            chunks = call.record(Response(stream, case["head"].get("_request_id")))
        assert list(chunks) == stream
        assert call.request_id == case["request_id"]
    (record,) = recorded(tmp_path)
    assert {name: record.get(name) for name in case["record"]} == case["record"]
    assert ("time_to_first_token_ms" in record) == (case["first_token"] is not None)


class Response:
    """A stream as those of the clients: it can be closed, and has the response it reads."""

    def __init__(self, events: list[Any], request_id: str | None = None) -> None:
        self.events = iter(events)
        self.response = type("HTTP", (), {"headers": {"x-request-id": request_id} if request_id else {}})()
        self.is_closed = False

    def __iter__(self) -> Iterator[Any]:
        yield from self.events

    def __next__(self) -> Any:
        return next(self.events)

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def prompt(locked: promptops.Loader) -> promptops.Prompt:
    return locked.load_prompt(INTENT)


def test_a_recorded_stream_is_the_stream(prompt: promptops.Prompt, tmp_path: Path) -> None:
    stream = Response(events("openai chat"))
    with prompt.invocation() as call:
        chunks = call.record(stream, cost_usd=0.01)
        assert isinstance(chunks, Response) and chunks.__class__ is Response
        assert chunks.is_closed is False
        chunks.more = 1
        assert stream.more == 1
        assert "events" in dir(chunks) and repr(chunks) == repr(stream)
        with pytest.raises(AttributeError, match="nothing"):
            _ = chunks.nothing
        with chunks as entered:
            assert entered is chunks and next(entered) == events("openai chat")[0]
            assert list(entered) == events("openai chat")[1:]
        assert stream.is_closed
        assert call.record(chunks) is chunks, "it is recorded once"
    (record,) = recorded(tmp_path)
    assert (record["label"], record["cost_usd"]) == ("billing", 0.01)
    assert 0 < record["time_to_first_token_ms"] <= record["latency_ms"]


def test_a_stream_that_is_read_after_with_is_waited_for(prompt: promptops.Prompt, tmp_path: Path) -> None:
    with prompt.invocation() as call:
        chunks = call.record(iter(events("openai chat")))
    assert not (tmp_path / "calls.jsonl").read_text()
    for _ in chunks:
        assert not (tmp_path / "calls.jsonl").read_text()
    assert recorded(tmp_path)[0]["label"] == "billing"


@pytest.mark.parametrize("how", ["closed", "let go", "left"])
def test_a_stream_that_is_left_early(how: str, prompt: promptops.Prompt, tmp_path: Path) -> None:
    with prompt.invocation() as call:
        chunks = call.record(Response(events("openai chat")))
    for _ in zip(range(2), chunks, strict=False):
        pass
    if how == "closed":
        chunks.close()
        assert chunks.is_closed
    elif how == "left":
        with chunks:
            pass
    del chunks
    gc.collect()
    (record,) = recorded(tmp_path)
    assert (record["status"], record["output_length"]) == ("ok", 4)
    assert "finish_reason" not in record and "valid" not in record


def test_a_stream_that_breaks(prompt: promptops.Prompt, tmp_path: Path) -> None:
    class APIConnectionError(Exception):
        pass

    def broken() -> Iterator[Any]:
        yield from events("openai chat")[:2]
        raise APIConnectionError

    with pytest.raises(APIConnectionError), prompt.invocation() as call:
        for _ in call.record(broken()):
            pass
    with pytest.raises(KeyError), prompt.invocation() as call:
        for _ in call.record(iter(events("openai chat")[:2])):
            raise KeyError
    first, second = recorded(tmp_path)
    assert (first["status"], first["error_type"], first["output_length"]) == ("error", "connection", 4)
    assert (second["status"], second.get("error_type")) == ("ok", None), "what failed then is not the model"


def test_asynchronous_streams(prompt: promptops.Prompt, tmp_path: Path) -> None:
    async def chunks(label: str) -> AsyncIterator[Any]:
        for event in events("openai chat"):
            await asyncio.sleep(0)
            yield json.loads(json.dumps(event).replace(" bil", " " + label[:3]).replace('"ling"', f'"{label[3:]}"'))

    async def one(label: str) -> None:
        async with prompt.invocation(session=label) as call:
            assert [chunk["object"] async for chunk in call.record(chunks(label))] == ["chat.completion.chunk"] * 5

    async def left() -> None:
        async with prompt.invocation(session="left") as call:
            stream = call.record(chunks("billing"))
            assert (await anext(stream))["choices"]
            await stream.aclose()

    async def all_of_them() -> None:
        await asyncio.gather(one("billing"), one("technical"), one("refund"), left())

    asyncio.run(all_of_them())
    found = {record["session"]: (record.get("label"), record.get("valid")) for record in recorded(tmp_path)}
    assert found == {
        "billing": ("billing", True),
        "technical": ("technical", True),
        "refund": (None, False),
        "left": (None, None),
    }


def test_a_second_stream_is_a_call_within(prompt: promptops.Prompt, tmp_path: Path) -> None:
    with prompt.invocation() as call:
        for _ in range(2):
            list(call.record(iter(events("openai chat"))))
    inner, outer = recorded(tmp_path)
    assert inner["parent_invocation"] == outer["invocation_id"] == call.id
    assert inner["label"] == outer["label"] == "billing"


@pytest.mark.filterwarnings("ignore::promptops.PromptOpsWarning")
def test_what_goes_wrong_while_recording_is_counted(locked: promptops.Loader, tmp_path: Path) -> None:
    class Odd:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    class Unreadable:
        @property
        def response(self) -> Any:
            raise RuntimeError

        def __iter__(self) -> Iterator[Any]:
            return iter([Odd(), object(), 3])

        def __next__(self) -> Any:
            raise NotImplementedError

    with locked.load_prompt(INTENT).invocation() as call:
        assert len(list(call.record(Unreadable()))) == 3
    assert recorded(tmp_path)[0]["status"] == "ok"
    assert locked.dropped == 1


def test_the_packages_know_the_replies() -> None:
    """The replies of reply.json are what the packages' own types describe."""
    types = {"openai chat": "openai.types.chat.ChatCompletion", "openai responses": "openai.types.responses.Response"}
    types["anthropic messages"] = "anthropic.types.Message"
    checked = 0
    for case in vectors("reply.json")["cases"]:
        for begin, path in types.items():
            if case["name"].startswith(begin):
                module, _, name = path.rpartition(".")
                made = getattr(importlib.import_module(module), name).model_validate(case["reply"])
                assert made.model_dump(mode="json", exclude_unset=True) == case["reply"], case["name"]
                checked += 1
    assert checked > 10
