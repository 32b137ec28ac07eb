"""Loads and renders the measured prompt with the Python SDK, warm, and prints the times as JSON."""

import json
import sys
from pathlib import Path

from promptops import load_prompt
from timing import nanoseconds_per_call


def main() -> None:
    inputs = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    prompt = load_prompt("bench.reply", version=1)
    assert inputs["message"] in prompt.render(**inputs)
    print(json.dumps({
        "load_ns": nanoseconds_per_call(lambda: load_prompt("bench.reply", version=1)),
        "render_ns": nanoseconds_per_call(lambda: prompt.render(**inputs), calls=5_000),
    }))


main()
