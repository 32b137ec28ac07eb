"""The cases that every SDK passes."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import promptops
import pytest
from conftest import cases, recorded, vectors, write_files, write_sources

SOURCES = {
    "lock": {"lock": "promptops.lock"},
    "bundle": {"bundle": "app.bundle"},
    "registry": {"registry": "file://registry"},
    "folder": {"prompts": "prompts"},
}


@pytest.mark.parametrize("case", cases("load.json"))
def test_load(case: dict[str, Any], tmp_path: Path) -> None:
    write_sources(tmp_path, vectors("load.json"), case)
    loader = promptops.Loader(**SOURCES[case["source"]], strict=case.get("strict"))
    expected = case["expect"]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        if "prompt" in expected:
            prompt = loader.load_prompt(**case["load"])
            found = {name: getattr(prompt, name) for name in expected["prompt"]}
            assert found == expected["prompt"]
            assert loader.load_prompt(**case["load"]) == prompt
        else:
            with pytest.raises(promptops.PromptOpsError) as caught:
                loader.load_prompt(**case["load"])
            error = caught.value
            assert error.code == expected["error"]["code"]
            assert expected["error"]["message"] in error.message
            assert expected["error"]["hint"] in (error.hint or "")
    assert [warning.category for warning in said] == [promptops.PromptOpsWarning] * expected["warnings"]
    assert all(warning.filename == __file__ for warning in said), "a warning points at the caller"


@pytest.mark.parametrize("case", cases("lock.json"))
def test_lock(case: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "promptops.lock").write_text(case["lock"])
    expected = case["expect"].get("error", {"code": "not-found", "message": ""})
    with pytest.raises(promptops.PromptOpsError) as caught:
        promptops.Loader(lock="promptops.lock").load_prompt("nothing.of-this-name")
    assert caught.value.code == expected["code"]
    causes = f"{caught.value.message} {caught.value.__cause__ or ''}"
    assert expected["message"] in causes


@pytest.mark.parametrize("case", cases("render.json"))
@pytest.mark.filterwarnings("ignore::promptops.PromptOpsWarning")
def test_render(case: dict[str, Any], tmp_path: Path) -> None:
    write_files(tmp_path, vectors("render.json")["prompts"])
    prompt = promptops.Loader(prompts=tmp_path).load_prompt(case["id"])
    expected = case["expect"]
    if "error" in expected:
        with pytest.raises(promptops.RenderError) as caught:
            prompt.messages(**case["values"])
        assert expected["error"] in caught.value.message
        return
    assert prompt.messages(**case["values"]) == expected["messages"]
    if "text" in expected:
        assert prompt.render(**case["values"]) == expected["text"]
    else:
        with pytest.raises(promptops.RenderError, match="2 messages"):
            prompt.render(**case["values"])


@pytest.mark.parametrize("case", cases("reply.json"))
@pytest.mark.filterwarnings("ignore::promptops.PromptOpsWarning")
def test_reply(case: dict[str, Any], tmp_path: Path) -> None:
    output = f"output: {json.dumps(case['output'])}\n" if case["output"] else ""
    text = f"id: classify\nversion: 1\nowner: o\nmodel: m\ntags: []\n{output}template: Classify.\n"
    write_files(tmp_path, {"classify.yaml": text})
    prompt = promptops.Loader(prompts=tmp_path, invocations="calls.jsonl").load_prompt("classify")
    with prompt.invocation() as call:
        assert call.record(case["reply"]) is case["known"]
        assert call.request_id == case["request_id"]
    (record,) = recorded(tmp_path)
    assert {name: record.get(name) for name in case["record"]} == case["record"]
