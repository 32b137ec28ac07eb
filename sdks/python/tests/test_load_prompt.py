"""`load_prompt` as a service uses it: settings, what a prompt is, what goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import promptops
import pytest
from conftest import vectors, write_sources
from promptops import load_prompt

INTENT = "customer-support.intent-classifier"


@pytest.fixture(autouse=True)
def sources(tmp_path: Path) -> None:
    write_sources(tmp_path, vectors("load.json"), {})


def test_the_playbooks_snippet(tmp_path: Path) -> None:
    """A folder `prompts` and nothing else: the playbook's prompt loads by the playbook's call."""
    (tmp_path / "promptops.lock").unlink()
    with pytest.warns(promptops.PromptOpsWarning, match="development only"):
        promptops.configure()
        prompt = load_prompt("customer-support.intent-classifier")
    assert prompt.id == "customer-support.intent-classifier"
    assert prompt.version == 2
    assert prompt.owner == "data-platform-team"
    assert prompt.model == "claude-3-5-sonnet"
    assert prompt.template.startswith("You are a customer support intent classifier.")
    assert prompt.tags == ["classification", "customer-support"]
    assert prompt.metrics == {"baseline_accuracy": 0.94, "cost_per_call_usd": 0.003}


def test_the_environment_names_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTOPS_BUNDLE", "app.bundle")
    promptops.configure()
    assert load_prompt(INTENT).purpose == "Route a support message to a team"
    monkeypatch.delenv("PROMPTOPS_BUNDLE")
    monkeypatch.setenv("PROMPTOPS_PROMPTS", "prompts")
    promptops.configure()
    with pytest.warns(promptops.PromptOpsWarning):
        assert load_prompt(INTENT).purpose is None
    promptops.configure(lock="promptops.lock")
    assert load_prompt(INTENT).purpose is not None, "what is given wins over the environment"


def test_prompts_are_frozen_and_compare_by_content() -> None:
    promptops.configure(lock="promptops.lock")
    prompt = load_prompt(INTENT)
    with pytest.raises(AttributeError):
        prompt.model = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        prompt.more = 1  # type: ignore[attr-defined]
    prompt.tags.append("x")
    prompt.parameters["temperature"] = 1
    assert prompt.tags == ["classification", "customer-support"]
    assert prompt.parameters == {"temperature": 0, "max_tokens": 16}
    assert prompt.output == {"enum": ["billing", "technical"]}
    assert prompt.inputs == {"message": {"type": "string"}}
    assert prompt.tools is None
    same, other = load_prompt(INTENT, version=2), load_prompt("shared.tone")
    assert prompt == same and hash(prompt) == hash(same)
    assert prompt != other and prompt != INTENT
    assert repr(prompt) == f"<Prompt {INTENT}@2 {prompt.digest}>"


def test_errors_have_classes_codes_and_hints() -> None:
    promptops.configure(lock="promptops.lock")
    with pytest.raises(promptops.PromptNotFoundError) as caught:
        load_prompt("intent-clasifier")
    assert isinstance(caught.value, LookupError)
    assert str(caught.value) == f"the lock has no prompt `intent-clasifier`\nhint: did you mean `{INTENT}`?"
    with pytest.raises(promptops.NotPinnedError):
        load_prompt(INTENT, 1)
    with pytest.raises(OverflowError):
        load_prompt(INTENT, -1)
    with pytest.raises(promptops.ConfigurationError) as caught:
        promptops.configure(lock="nowhere.lock")
    assert caught.value.code == "invalid-setting"
    assert load_prompt(INTENT).version == 2, "a failed configure changes nothing"


def test_without_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(promptops.ConfigurationError, match="PROMPTOPS_LOCK"):
        promptops.configure()


def test_values_of_other_types_are_refused() -> None:
    promptops.configure(lock="promptops.lock")
    prompt = load_prompt(INTENT)
    with pytest.raises(TypeError, match="not `object`"):
        prompt.messages(message=object())
    with pytest.raises(TypeError, match="keys of a mapping must be str"):
        prompt.messages(message={1: 2})
    deep: list[object] = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(RecursionError):
        prompt.messages(message=deep)
    with pytest.raises(UnicodeEncodeError):
        prompt.messages(message="\ud800")


def test_a_warning_that_is_an_error_does_not_break_loading() -> None:
    loader = promptops.Loader(prompts="prompts")
    shown = []
    hook, sys.unraisablehook = sys.unraisablehook, shown.append
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert loader.load_prompt("shared.tone").version == 3
    finally:
        sys.unraisablehook = hook
    assert [one.exc_type for one in shown] == [promptops.PromptOpsWarning]


def test_threads_share_a_loader() -> None:
    loader = promptops.Loader(lock="promptops.lock")
    found: list[str] = []

    def work() -> None:
        for number in range(200):
            prompt = loader.load_prompt(INTENT, 2 if number % 2 else None)
            found.append(prompt.messages(message=str(number))[1]["content"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=int) == sorted((str(n) for n in range(200) for _ in range(4)), key=int)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("source", [{"lock": "promptops.lock"}, {"bundle": "app.bundle"}])
def test_a_child_of_fork_loads_on_its_own(source: dict[str, str]) -> None:
    loader = promptops.Loader(**source)
    loader.load_prompt("shared.tone")
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            os._exit(0 if loader.load_prompt(INTENT).version == 2 else 1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4


def test_the_stub_is_what_is_there() -> None:
    """mypy compares every name, parameter and default of the stub with the compiled module."""
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy.stubtest", "promptops._promptops"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_all_public_names_are_there() -> None:
    assert all(hasattr(promptops, name) for name in promptops.__all__)
