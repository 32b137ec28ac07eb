"""A registry in a folder, written by hand: versions, releases of an environment, locks and bundles of them."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    """Below `folder/registry`, or wherever `put` puts objects."""

    def __init__(self, folder: Path, environment: str = "prod") -> None:
        self.folder = folder
        self.environment = environment
        self.sequence = 0
        self.objects: dict[str, bytes] = {}
        self.put("format.json", b'{"format":1}')

    def put(self, key: str, data: bytes) -> None:
        path = self.folder / "registry" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all, as in a registry: others read here meanwhile.
        whole = path.with_name(f"{path.name}.{os.getpid()}.new")
        whole.write_bytes(data)
        whole.rename(path)
        self.objects[key] = data

    def publish(self, id: str, version: int, template: str = "", **content: Any) -> dict[str, Any]:
        """Publishes a version and returns its pin."""
        body = canonical({"model": "m", "template": template or f"{id} {version}", **content})
        record = canonical(
            {"format": 1, "id": id, "version": version, "digest": digest(body), "metadata": {"owner": "o", "tags": []}}
        )
        self.put(f"blobs/sha256/{digest(body)[7:]}", body)
        self.put(f"prompts/{id}/{version:010}.json", record)
        return {"version": version, "digest": digest(body), "record": digest(record)}

    def release(self, pins: dict[str, Any]) -> int:
        """Makes a release and returns its number."""
        shards: dict[str, dict[str, Any]] = {}
        for id, pin in pins.items():
            shards.setdefault(hashlib.sha256(id.encode()).hexdigest()[:2], {})[id] = pin
        named = {}
        for name, prompts in shards.items():
            data = canonical({"format": 1, "prompts": prompts})
            named[name] = digest(data)
            self.put(f"pins/sha256/{digest(data)[7:]}", data)
        self.sequence += 1
        record = {"format": 1, "environment": self.environment, "sequence": self.sequence, "pins": named}
        self.put(f"environments/{self.environment}/{self.sequence:020}.json", canonical(record))
        return self.sequence

    def lock(self, pins: dict[str, Any], registry: str = "file://registry") -> dict[str, Any]:
        """Writes promptops.lock and app.bundle of pins."""
        release = {"environment": self.environment, "sequence": self.sequence}
        lock = {"format": 1, "registry": registry, "release": release, "prompts": pins}
        (self.folder / "promptops.lock").write_text(json.dumps(lock))
        with zipfile.ZipFile(self.folder / "app.bundle", "w", zipfile.ZIP_STORED) as bundle:
            bundle.writestr("bundle.json", json.dumps({"format": 1, "registry": registry, "release": release}))
            shards: dict[str, dict[str, Any]] = {}
            for id, pin in pins.items():
                shards.setdefault(hashlib.sha256(id.encode()).hexdigest()[:2], {})[id] = pin
            for shard, prompts in shards.items():
                bundle.writestr(f"pins/{shard}.json", json.dumps({"format": 1, "prompts": prompts}))
            for key, data in self.objects.items():
                if key.startswith("prompts/"):
                    _, id, version = key.removesuffix(".json").split("/")
                    bundle.writestr(f"records/{id}/{int(version)}.json", data)
                elif key.startswith("blobs/"):
                    bundle.writestr(key, data)
        return lock


def split(control: dict[str, Any], candidate: dict[str, Any], buckets: int) -> dict[str, Any]:
    """The pin of a rollout; 10,000 buckets are all keys."""
    return {**control, "rollout": {**candidate, "buckets": buckets}}


def bucket(id: str, candidate: int, key: str) -> int:
    """The bucket of a key, computed as docs/reference/rollouts.md says."""
    text = f"promptops-rollout-1\n{id}@{candidate}\n{key}"
    return int(hashlib.sha256(text.encode()).hexdigest()[:15], 16) % 10_000
