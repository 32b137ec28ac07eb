"""Loads a prompt by name and version with MLflow's client from its warm cache, and prints the time as JSON.

    load_mlflow.py <database> <prompt.yaml>
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}

import mlflow
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from timing import nanoseconds_per_call  # noqa: E402


def main() -> None:
    database, file = sys.argv[1:]
    uri = f"sqlite:///{Path(database).resolve()}"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    prompt = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    mlflow.genai.register_prompt(name=prompt["id"], template=prompt["template"])
    # Loaded by version it stays in the client's cache; the registry is asked once.
    load = lambda: mlflow.genai.load_prompt(prompt["id"], version=1)  # noqa: E731
    assert load().template == prompt["template"]
    print(json.dumps({"load_ns": nanoseconds_per_call(load, calls=2_000), "version": mlflow.__version__}))


main()
