"""Faults: whatever is wrong, the caller gets an error of the documented type at load or render, and the process lives."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import promptops
import pytest
from releases import Registry

ID = "support.reply"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path)
    inputs = {"name": {"type": "string"}, "count": {"type": "integer", "default": 1}}
    registry.release({})
    registry.lock({ID: registry.publish(ID, 1, "Hello {{ name }}, {{ count }}", inputs=inputs)})
    return registry


def load(**source: Any) -> promptops.Prompt:
    return promptops.Loader(**source).load_prompt(ID)


def test_a_bundle_with_any_damage(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "app.bundle"
    intact = path.read_bytes()
    expected = load(bundle=path)
    random.seed(7)
    outcomes = set()
    damaged = [intact[:length] for length in range(0, len(intact), 37)]
    for _ in range(400):
        place, byte = random.randrange(len(intact)), random.randrange(256)
        damaged.append(intact[:place] + bytes([byte]) + intact[place + 1 :])
    for data in damaged:
        path.write_bytes(data)
        try:
            prompt = load(bundle=path)
        except promptops.PromptOpsError as error:
            outcomes.add(error.code)
        else:
            assert prompt == expected, "what loads is what was bundled"
    # Which error depends on the place: the list of entries, the pins, a record or a content.
    possible = {"invalid-setting", "corrupt", "integrity", "missing", "not-found"}
    assert {"invalid-setting", "corrupt"} <= outcomes <= possible


def test_a_bundle_that_was_put_together_anew(registry: Registry, tmp_path: Path) -> None:
    registry.objects = {key: data.replace(b"Hello", b"Hallo") for key, data in registry.objects.items()}
    pins = json.loads((tmp_path / "promptops.lock").read_text())["prompts"]
    registry.lock(pins)
    with pytest.raises(promptops.IntegrityError) as caught:
        load(bundle="app.bundle")
    assert caught.value.code == "integrity"


@pytest.mark.parametrize(
    ("key", "code"),
    [("prompts/support.reply/0000000001.json", "integrity"), ("blobs", "integrity")],
)
def test_a_digest_that_does_not_fit(registry: Registry, tmp_path: Path, key: str, code: str) -> None:
    paths = [path for path in (tmp_path / "registry" / key.split("/")[0]).rglob("*") if path.is_file()]
    for path in paths:
        path.write_bytes(path.read_bytes().replace(b"Hello", b"Hallo").replace(b'"owner":"o"', b'"owner":"p"'))
    with pytest.raises(promptops.IntegrityError) as caught:
        load(lock="promptops.lock")
    assert caught.value.code == code
    for path in paths:
        path.unlink()
    with pytest.raises(promptops.IntegrityError) as caught:
        load(lock="promptops.lock")
    assert caught.value.code == "missing"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "required variables are missing: `name`"),
        ({"name": 3}, "`name`"),
        ({"name": "Ada", "count": "many"}, "`count`"),
        ({"name": "Ada", "nmae": "Ada"}, "`nmae`"),
        ({"name": None}, "`name`"),
    ],
)
def test_values_that_do_not_fit(registry: Registry, values: dict[str, Any], message: str) -> None:
    prompt = load(lock="promptops.lock")
    for render in (prompt.render, prompt.messages):
        with pytest.raises(promptops.RenderError) as caught:
            render(**values)
        assert message in caught.value.message
        assert (caught.value.code, isinstance(caught.value, ValueError)) == ("render", True)
    assert prompt.render(name="Ada") == "Hello Ada, 1"


def test_a_registry_that_is_down(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    for source in ({"lock": "promptops.lock", "registry": "s3://prompts"}, {"registry": "s3://prompts", "follow": "prod"}):
        with pytest.raises(promptops.RegistryUnavailableError) as caught:
            load(**source)
        assert caught.value.hint
    prompt = load(bundle="app.bundle", registry="s3://prompts")
    assert prompt.version == 1, "a bundle needs none"


NO_ROOM = """
import json, resource, sys, warnings, promptops
# Nothing can be written any more, as on a full disk.
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    loader = promptops.Loader(lock="promptops.lock", registry=sys.argv[1], cache="cache", invocations="calls.jsonl")
    prompt = loader.load_prompt("support.reply")
    with prompt.invocation() as call:
        call.record(prompt.render(name="Ada"))
    loader.flush()
print(json.dumps([prompt.version, loader.dropped, sorted({str(one.message).split(" (")[0] for one in said})]))
"""


def test_a_full_disk(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        s3 = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
        s3.create_bucket(Bucket="prompts")
        for key, data in registry.objects.items():
            s3.put_object(Bucket="prompts", Key=key, Body=data)
        ran = subprocess.run(
            [sys.executable, "-c", NO_ROOM, "s3://prompts"], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert ran.returncode == 0, ran.stderr
        assert json.loads(ran.stdout) == [
            1,
            1,
            ["the prompt cache cannot be used, so an outage of the registry would be felt"],
        ]
    finally:
        server.stop()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 9}', "\x00" * 100])
def test_a_lock_that_is_none(registry: Registry, tmp_path: Path, content: str) -> None:
    (tmp_path / "promptops.lock").write_text(content)
    with pytest.raises(promptops.ConfigurationError) as caught:
        load(lock="promptops.lock")
    assert caught.value.code == "invalid-setting"


def test_strict_forbids_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prompts/support").mkdir(parents=True)
    text = "id: support.reply\nversion: 1\nowner: o\nmodel: m\ntags: []\ntemplate: x\n"
    (tmp_path / "prompts/support/reply.yaml").write_text(text)
    with pytest.warns(promptops.PromptOpsWarning, match="for development only"):
        assert load(prompts="prompts").version == 1
    monkeypatch.setenv("PROMPTOPS_STRICT", "1")
    for source in ({"prompts": "prompts"}, {}):
        with pytest.raises(promptops.NotPinnedError):
            load(**source)
