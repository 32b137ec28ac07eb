"""A lake that the command wrote, of records that are the same in every run but for the moment they end at."""

from __future__ import annotations

import json
import random
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from conftest import plain_environment

PROMPTS = {"support.greeting": "support-team", "support.triage": "support-team", "billing.refund": "billing's team"}
PROMPT = """\
id: {id}
version: 2
parent: 1
owner: {owner}
model: gpt-4o
tags: [support]
template: Hello.
"""
PRICES = {
    "gpt-4o": {"input": 2.5, "output": 10.0, "cached_input": 1.25},
    "gpt-4o-2024-08-06": {"input": 2.0, "output": 8.0, "cached_input": 1.0, "cache_write": 3.0, "reasoning": 9.0},
    "another": {"input": 1.0, "output": 1.0},
}
PRICE_TABLE = {
    "version": 1,
    "sources": [{"date": "2026-11-01", "source": "a test", "digest": "sha256:" + "0" * 64}],
    "models": {model: [{"from": "2026-11-01", "price": price}] for model, price in PRICES.items()},
}
RECORDS = 4000


def records(now: datetime) -> list[dict[str, Any]]:
    """Returns records of the last three days. `billing.refund` fell silent more than a day ago."""
    rng = random.Random(6)
    made = []
    for number in range(RECORDS):
        prompt = rng.choice(list(PROMPTS))
        ago = timedelta(minutes=rng.randrange(26 * 60 if prompt == "billing.refund" else 5, 70 * 60), microseconds=number)
        failed = rng.random() < 0.07
        record: dict[str, Any] = {
            "time": (now - ago).isoformat(timespec="microseconds"),
            "invocation_id": f"019f0000-0000-7000-8000-{number:012}",
            "environment": "prod",
            "prompt_id": prompt,
            "prompt_version": rng.choice([1, 2, 2, 2]),
            "requested_model": "gpt-4o",
            "latency_ms": round(rng.lognormvariate(6, 0.7), 3),
            "status": "error" if failed else "ok",
        }
        if failed:
            record["error_type"] = rng.choice(["timeout", "rate_limit"])
        else:
            cached, reasoning = rng.randrange(300), rng.randrange(20)
            record |= {
                "responded_model": rng.choice(["gpt-4o-2024-08-06", "gpt-4o"]),
                "input_tokens": 300 + rng.randrange(900),
                "cached_tokens": cached,
                "output_tokens": 20 + rng.randrange(200),
                "reasoning_tokens": reasoning,
                "cost_usd": rng.randrange(1, 90_000) / 1e7,
                "label": rng.choice(["billing", "sales"]),
                "valid": rng.random() < 0.95,
                "refusal": rng.random() < 0.02,
                "scores": {"judge": rng.random(), "length": float(rng.randrange(9))},
            }
        made.append(record)
    return made


class Lake:
    """A project whose lake holds the records."""

    def __init__(self, folder: Path, program: Path, url: str = "file://.promptops/lake", **variables: str) -> None:
        self.folder, self.program = folder, program
        self.environment = plain_environment(folder, PROMPTOPS_ACTOR="ada@example.com", **variables)
        for prompt, owner in PROMPTS.items():
            file = folder / "prompts" / f"{prompt.replace('.', '/')}.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(PROMPT.format(id=prompt, owner=json.dumps(owner)))
        (folder / "promptops.toml").write_text(f'[lake]\nurl = "{url}"\n\n[environments.prod]\n')
        (folder / "prices.json").write_text(json.dumps(PRICE_TABLE))
        self.records = records(datetime.now(timezone.utc))
        (folder / "spool.jsonl").write_text("".join(json.dumps(record) + "\n" for record in self.records))
        self.promptops("invocations", "import", "spool.jsonl")

    def promptops(self, *arguments: str) -> str:
        run = subprocess.run(
            [str(self.program), *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        assert run.returncode == 0, f"{arguments}: {run.stdout}{run.stderr}"
        return run.stdout

    def statements(self, kind: str, *arguments: str) -> dict[str, str]:
        """Generates a folder of statements, and returns them by their names in the order in which they run."""
        self.promptops("generate", kind, "--out", kind, *arguments)
        files = sorted((self.folder / kind).glob("*/*.sql"), key=lambda path: (path.parent.name != "table", path.name))
        return {path.stem[3:]: path.read_text().strip().removesuffix(";") for path in files}

    def statistics(self, *by: str) -> list[dict[str, Any]]:
        """Returns what `promptops stats` says of all records."""
        rows = self.promptops("stats", "--by", ",".join(by), "--format", "json").splitlines()
        return [json.loads(row) for row in rows]
