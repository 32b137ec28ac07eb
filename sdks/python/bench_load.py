"""Measures a warm load and a rendering from Python beside Jinja2's compiled template, and prints microseconds as JSON.

    maturin develop --release && python bench_load.py

Each figure is the median of the mean of many batches.
"""

import hashlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import jinja2
import promptops

RULE = "Answer with one label and nothing else; when two labels fit, choose the one the customer needs first. "
TEMPLATE = (
    "You classify messages of {{ customer }}.\n"
    + "".join(f"{number}. {RULE}\n" for number in range(1, 17))
    + "{% for turn in turns %}\n{{ loop.index }}. {{ turn.role }}: {{ turn.text }}\n{% endfor %}\n"
    + "Message: {{ message }}\n"
)
VALUES = {
    "customer": "Example Ltd",
    "turns": [{"role": "agent" if n % 2 == 0 else "customer", "text": f"turn {n}"} for n in range(1, 11)],
    "message": "Where is my invoice for March?",
}


def write_registry(folder: Path) -> None:
    """Publishes and pins bench.classify@1."""

    def write(key: str, text: str) -> str:
        path = folder / "registry" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    inputs = {"customer": {"type": "string"}, "message": {"type": "string"}, "turns": {"type": "array"}}
    content = {"inputs": inputs, "model": "m", "template": TEMPLATE}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    digest = write("blobs/sha256/" + hashlib.sha256(text.encode()).hexdigest(), text)
    record = {"format": 1, "id": "bench.classify", "version": 1, "digest": digest, "metadata": {"owner": "bench"}}
    pin = {"version": 1, "digest": digest, "record": write("prompts/bench.classify/0000000001.json", json.dumps(record))}
    lock = {"format": 1, "registry": "file://registry", "prompts": {"bench.classify": pin}}
    (folder / "promptops.lock").write_text(json.dumps(lock))


def microseconds(run, runs: int) -> float:
    def batch() -> float:
        started = time.perf_counter()
        for _ in range(runs):
            run()
        return (time.perf_counter() - started) * 1e6 / runs

    batch()
    return round(statistics.median(batch() for _ in range(51)), 3)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_registry(Path(folder))
        promptops.configure(lock=Path(folder) / "promptops.lock")
        prompt = promptops.load_prompt("bench.classify")
        environment = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
        compiled = environment.from_string(TEMPLATE)
        if prompt.render(**VALUES) != compiled.render(**VALUES):
            sys.exit("the two renderings differ")
        load, load_by_version = promptops.load_prompt, lambda: promptops.load_prompt("bench.classify", 1)
        result = {
            "load_us": microseconds(lambda: load("bench.classify"), 5000),
            "load_by_version_us": microseconds(load_by_version, 5000),
            "render_us": microseconds(lambda: prompt.render(**VALUES), 500),
            "messages_us": microseconds(lambda: prompt.messages(**VALUES), 500),
            "jinja2_render_us": microseconds(lambda: compiled.render(**VALUES), 500),
            "template_bytes": len(TEMPLATE),
        }
        result["times_faster_than_jinja2"] = round(result["jinja2_render_us"] / result["render_us"], 1)
        print(json.dumps(result, indent=2))


main()
