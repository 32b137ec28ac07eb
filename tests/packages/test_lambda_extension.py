"""The extension for Lambda: started by AWS's emulator beside a function that has no SDK."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import Project, given, unzip
from emulator import function

HANDLER = """
import json, time, urllib.error, urllib.request

def ask(path, body=None):
    request = urllib.request.Request("http://127.0.0.1:2774/v1/prompts/" + path, body and json.dumps(body).encode())
    start = time.perf_counter()
    try:
        with urllib.request.urlopen(request) as reply:
            status, document = reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        status, document = error.code, json.load(error)
    return [status, document, (time.perf_counter() - start) * 1000]

# Asked before the first event: the extension is there before the function's code is.
FIRST = ask("support.greeting")

def handler(event, context):
    try:
        import promptops
        return "the function has an SDK of its own"
    except ImportError:
        pass
    return {"first": FIRST, "rendered": ask("support.greeting/render", {"inputs": event}), "missing": ask("support.greting")}
"""


@pytest.fixture(scope="module")
def report(project: Project) -> dict[str, Any]:
    program = str(given("PROMPTOPS_TEST_EXTENSION"))
    said: dict[str, Any] = json.loads(project.promptops("package", "lambda-extension", "--json", "--program", program))
    return said


@pytest.fixture(scope="module")
def layer(project: Project, report: dict[str, Any]) -> Path:
    return unzip(project.folder / report["file"], project.folder / "extension-layer")


def test_a_function_in_any_language_asks_for_prompts_on_loopback(layer: Path) -> None:
    with function([layer], HANDLER) as greet:
        for name in ("Ada", "Grace", "Edsger"):
            answer = greet.invoke({"name": name})
            status, prompt, _ = answer["first"]
            assert (status, prompt["model"], prompt["version"]) == (200, "gpt-4o-2024-08-06", 1), prompt
            status, rendered, _ = answer["rendered"]
            text = f"Write one warm sentence that greets {name}.\n"
            assert (status, rendered["text"]) == (200, text), rendered
            assert rendered["messages"] == [{"role": "user", "content": text}]
            assert rendered["digest"] == prompt["digest"]
            status, problem, _ = answer["missing"]
            assert (status, problem["code"], problem["hint"]) == (404, "not-found", "did you mean `support.greeting`?")
        # The emulator says what registered, and for what.
        registered = re.search(r"External agent promptops \(.*\) registered, subscribed to \[INVOKE SHUTDOWN\]", greet.log())
        assert registered, greet.log()


def test_prompts_that_cannot_be_opened_fail_the_start_and_say_why(layer: Path, tmp_path: Path) -> None:
    with function([layer], HANDLER, PROMPTOPS_BUNDLE="/opt/promptops/none.bundle") as greet:
        with pytest.raises(Exception):  # noqa: B017, PT011 - how an emulator fails to start is its own affair
            greet.invoke({"name": "Ada"})
        assert "the bundle cannot be used: `/opt/promptops/none.bundle`" in greet.log(), greet.log()


def test_it_is_laid_out_as_lambda_wants_it(project: Project, report: dict[str, Any]) -> None:
    with zipfile.ZipFile(project.folder / report["file"]) as archive:
        modes = {entry.filename: (entry.external_attr >> 16) & 0o777 for entry in archive.infolist()}
    assert modes == {"extensions/promptops": 0o755, "promptops/prompts.bundle": 0o644}


def test_without_lambda_it_only_serves(layer: Path, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PROMPTOPS_EXTENSION_PORT": "0"}
    program = str(layer / "extensions/promptops")
    with subprocess.Popen([program], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
    assert line.startswith("prompts at http://127.0.0.1:") and line.endswith("/v1/prompts/\n"), line
