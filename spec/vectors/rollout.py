"""Writes rollout.json: which version of a split prompt a key gets, as every implementation must decide.

Run `python3 spec/vectors/rollout.py` after a change here. Nothing of the code under test takes part: the rule of
docs/reference/rollouts.md is written out below with the standard library.

`assignments` are single decisions. `counts` says how many of many keys get the candidate, for shares that grow.
"""

import hashlib
import json
from pathlib import Path

HERE = Path(__file__).parent
BUCKETS = 10_000


def bucket(id, candidate, key):
    text = f"promptops-rollout-1\n{id}@{candidate}\n{key}"
    return int(hashlib.sha256(text.encode("utf-8")).hexdigest()[:15], 16) % BUCKETS


def assignment(id, candidate, buckets, key):
    found = bucket(id, candidate, key)
    arm = "candidate" if found < buckets else "control"
    return {"id": id, "candidate": candidate, "buckets": buckets, "key": key, "bucket": found, "arm": arm}


def edges(id, candidate):
    """Keys at both sides of a share: in its last bucket, and in the first that is not in it."""
    for buckets in (1, 1000, 9999):
        for wanted in (buckets - 1, buckets):
            key = next(f"user-{n}" for n in range(1_000_000) if bucket(id, candidate, f"user-{n}") == wanted)
            yield assignment(id, candidate, buckets, key)


def build():
    keys = ["user-1", "user-2", "a", " ", "42", "mañana", "man\u0303ana", "日本", "👋🏽", "two\nlines", "tab\there", "\u0000", "x" * 1000]
    assignments = [assignment("support.reply", 3, 5000, key) for key in keys]
    assignments += [assignment("support.reply", 4, 5000, "user-1"), assignment("support.intent", 3, 5000, "user-1")]
    assignments += edges("support.reply", 3)
    counts = [
        {
            "id": "support.reply",
            "candidate": 3,
            "buckets": buckets,
            "keys": "user-0 to user-99999",
            "candidates": sum(bucket("support.reply", 3, f"user-{n}") < buckets for n in range(100_000)),
        }
        for buckets in (1000, 2000, 5000)
    ]
    return {"format": 1, "assignments": assignments, "counts": counts}


if __name__ == "__main__":
    text = json.dumps(build(), indent=1, ensure_ascii=False) + "\n"
    (HERE / "rollout.json").write_text(text, encoding="utf-8")
