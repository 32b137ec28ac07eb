"""A registry behind a network: S3's protocol, answered by moto on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promptops
import pytest
from conftest import vectors, write_sources

INTENT = "customer-support.intent-classifier"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }.items():
        monkeypatch.setenv(name, value)
    yield server
    server.stop()


@pytest.fixture
def registry(server: Any, tmp_path: Path) -> Any:
    """The vectors' registry in a bucket, and a lock that names it."""
    boto3 = pytest.importorskip("boto3")
    write_sources(tmp_path, vectors("load.json"), {})
    host, port = server.get_host_and_port()
    s3 = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    s3.create_bucket(Bucket="prompts")
    for key, text in vectors("load.json")["registry"].items():
        s3.put_object(Bucket="prompts", Key=f"team/{key}", Body=text.encode())
    lock = {**vectors("load.json")["lock"], "registry": "s3://prompts/team"}
    (tmp_path / "promptops.lock").write_text(json.dumps(lock))
    return s3


def test_an_outage_does_not_break_a_service_that_started_once(server: Any, registry: Any, tmp_path: Path) -> None:
    first = promptops.Loader(lock="promptops.lock", cache="cache").load_prompt(INTENT)
    server.stop()
    restarted = promptops.Loader(lock="promptops.lock", cache="cache")
    assert restarted.load_prompt(INTENT) == first
    assert first.messages(message="x") == restarted.load_prompt(INTENT).messages(message="x")
    (tmp_path / "other").mkdir()
    with pytest.raises(promptops.RegistryUnavailableError) as caught:
        promptops.Loader(lock="promptops.lock", cache="other").load_prompt(INTENT)
    assert "bundle" in (caught.value.hint or "")


def test_a_damaged_cache_is_read_again(registry: Any, tmp_path: Path) -> None:
    promptops.Loader(lock="promptops.lock", cache="cache").load_prompt(INTENT)
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert len(kept) == 3, "the record, the content, and that of the include"
    for path in kept:
        path.write_bytes(path.read_bytes()[:-1])
    assert promptops.Loader(lock="promptops.lock", cache="cache").load_prompt(INTENT).version == 2
    assert {path.name for path in kept} == {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}


def test_a_cache_that_cannot_be_written_is_a_warning(registry: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.warns(promptops.PromptOpsWarning, match="cache cannot be used"):
        prompt = promptops.Loader(lock="promptops.lock", cache="file").load_prompt(INTENT)
    assert prompt.version == 2


def test_changed_bytes_are_refused_and_not_kept(registry: Any, tmp_path: Path) -> None:
    key = f"team/prompts/{INTENT}/0000000002.json"
    registry.put_object(Bucket="prompts", Key=key, Body=b"{}")
    with pytest.raises(promptops.IntegrityError):
        promptops.Loader(lock="promptops.lock", cache="cache").load_prompt(INTENT)
    assert not (tmp_path / "cache").exists()


def test_an_object_that_is_not_there(registry: Any) -> None:
    registry.delete_object(Bucket="prompts", Key=f"team/prompts/{INTENT}/0000000002.json")
    with pytest.raises(promptops.IntegrityError, match="lacks") as caught:
        promptops.Loader(lock="promptops.lock").load_prompt(INTENT)
    assert caught.value.code == "missing"
