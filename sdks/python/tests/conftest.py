"""Fixtures: the language-neutral vectors, and sources of prompts written from them."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import promptops
import pytest

VECTORS = Path(__file__).parents[3] / "spec" / "vectors"


def vectors(name: str) -> dict[str, Any]:
    return json.loads((VECTORS / name).read_text())


def cases(name: str) -> list[Any]:
    found = vectors(name)["cases"]
    assert found
    return [pytest.param(case, id=case["name"]) for case in found]


def write_files(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def write_sources(folder: Path, data: dict[str, Any], case: dict[str, Any]) -> None:
    """Writes registry, lock, bundle and folder of one case of load.json; see spec/vectors/generate.py."""
    objects = {**data["registry"], **case.get("registry", {})}
    objects = {key: text for key, text in objects.items() if text is not None}
    write_files(folder / "registry", objects)
    write_files(folder / "prompts", data["prompts"])
    lock = json.dumps(data["lock"])
    (folder / "promptops.lock").write_text(lock)
    with zipfile.ZipFile(folder / "app.bundle", "w", zipfile.ZIP_STORED) as bundle:
        header = {"format": 1, "registry": data["lock"]["registry"], "release": data["lock"].get("release")}
        bundle.writestr("bundle.json", json.dumps(header))
        shards: dict[str, dict[str, Any]] = {}
        for id, pin in data["lock"]["prompts"].items():
            shards.setdefault(hashlib.sha256(id.encode()).hexdigest()[:2], {})[id] = pin
        for shard, pins in shards.items():
            bundle.writestr(f"pins/{shard}.json", json.dumps({"format": 1, "prompts": pins}))
        for key, text in objects.items():
            if key.startswith("prompts/"):
                _, id, version = key.removesuffix(".json").split("/")
                key = f"records/{id}/{int(version)}.json"
            bundle.writestr(key, text)


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs each test in a folder of its own, without the settings of whoever runs it."""
    for name in list(os.environ):
        if name.startswith(("PROMPTOPS_", "AWS_", "GOOGLE_", "AZURE_", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def locked(tmp_path: Path) -> promptops.Loader:
    """A loader of the vectors' registry by its lock, that records to calls.jsonl."""
    write_sources(tmp_path, vectors("load.json"), {})
    return promptops.Loader(lock="promptops.lock", invocations="calls.jsonl")


def recorded(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]
