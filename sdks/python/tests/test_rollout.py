"""Rollouts: who gets which of two versions, against a computation of its own."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import promptops
import pytest
from conftest import recorded, vectors
from releases import Registry, bucket, split

ID = "support.reply"


def loader(folder: Path, id: str, candidate: int, buckets: int, **settings: Any) -> promptops.Loader:
    registry = Registry(folder)
    pins = {id: split(registry.publish(id, candidate - 1), registry.publish(id, candidate), buckets)}
    registry.release(pins)
    registry.lock(pins)
    return promptops.Loader(bundle=folder / "app.bundle", **settings)


def test_assignments(tmp_path: Path) -> None:
    loaders: dict[tuple[str, int, int], promptops.Loader] = {}
    for one in vectors("rollout.json")["assignments"]:
        rollout = (one["id"], one["candidate"], one["buckets"])
        if rollout not in loaders:
            folder = tmp_path / str(len(loaders))
            folder.mkdir()
            loaders[rollout] = loader(folder, *rollout)
        prompt = loaders[rollout].load_prompt(one["id"], key=one["key"])
        expected = one["candidate"] if one["arm"] == "candidate" else one["candidate"] - 1
        assert (prompt.arm, prompt.version) == (one["arm"], expected), one
        assert loaders[rollout].load_prompt(one["id"], key=one["key"]) == prompt


def test_a_hundred_thousand_keys(tmp_path: Path) -> None:
    counts = {one["buckets"]: one["candidates"] for one in vectors("rollout.json")["counts"]}
    load = loader(tmp_path, ID, 3, 1000).load_prompt
    keys = [f"user-{number}" for number in range(100_000)]
    candidates = [load(ID, key=key).version == 3 for key in keys]
    assert sum(candidates) == counts[1000]
    own = [bucket(ID, 3, key) for key in keys]
    assert candidates == [number < 1000 for number in own]
    # Pearson's χ² over 100 classes: beyond 148.2 a fair division comes once in a thousand times.
    classes = Counter(number // 100 for number in own)
    assert sum((classes[index] - 1000) ** 2 / 1000 for index in range(100)) < 148.2


def test_records_say_the_side(tmp_path: Path) -> None:
    source = loader(tmp_path, ID, 3, 5000, invocations=tmp_path / "calls.jsonl")
    keys = ["user-1", "user-2", 42, None]
    with pytest.warns(promptops.PromptOpsWarning, match="loaded without a key, so the control is used: `support.reply`"):
        for key in keys:
            prompt = source.load_prompt(ID, key=key)
            with prompt.invocation() as call:
                call.record("ok")
    arms = ["candidate" if bucket(ID, 3, str(key)) < 5000 else "control" for key in keys[:-1]] + ["unkeyed"]
    assert [record["arm"] for record in recorded(tmp_path)] == arms
    versions = [3 if arm == "candidate" else 2 for arm in arms]
    assert [record["prompt_version"] for record in recorded(tmp_path)] == versions
    by_number = source.load_prompt(ID, 3, key="user-1")
    assert (by_number.version, by_number.arm) == (3, None)
    with by_number.invocation() as call:
        call.record("ok")
    assert "arm" not in recorded(tmp_path)[-1]


@pytest.mark.parametrize("key", [1.5, b"user-1", True, ["user-1"]])
def test_what_is_no_key_is_refused(tmp_path: Path, key: Any) -> None:
    with pytest.raises(TypeError, match="the key of a rollout is a str or an int, not"):
        loader(tmp_path, ID, 3, 5000).load_prompt(ID, key=key)


def test_a_prompt_that_is_not_split_takes_any_key(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.lock({ID: registry.publish(ID, 1)})
    source = promptops.Loader(lock="promptops.lock")
    assert source.load_prompt(ID, key="user-1") == source.load_prompt(ID)
    assert source.load_prompt(ID, key="user-1").arm is None


def test_a_share_that_is_none_is_refused(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    lock = registry.lock({ID: split(registry.publish(ID, 1), registry.publish(ID, 2), 10_000)})
    assert json.loads((tmp_path / "promptops.lock").read_text()) == lock
    with pytest.raises(promptops.ConfigurationError, match="a share is from"):
        promptops.Loader(lock="promptops.lock")
