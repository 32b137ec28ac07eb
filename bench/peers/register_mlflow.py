"""Registers prompts with MLflow's registry on SQLite, and prints the paths under which its server answers one version each.

    register_mlflow.py <database> <folder of prompts> <count>
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from urllib.parse import quote

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}

import mlflow
import yaml


def main() -> None:
    database, folder, count = sys.argv[1:]
    uri = f"sqlite:///{Path(database).resolve()}"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    paths = []
    for file in sorted(Path(folder).rglob("*.yaml"))[: int(count)]:
        prompt = yaml.safe_load(file.read_text(encoding="utf-8"))
        mlflow.genai.register_prompt(name=prompt["id"], template=prompt["template"], tags={"owner": prompt["owner"]})
        # What `mlflow.genai.load_prompt` asks its server for.
        paths.append(f"/api/2.0/mlflow/model-versions/get?name={quote(prompt['id'])}&version=1")
    print(json.dumps({"paths": paths, "version": mlflow.__version__}))


if __name__ == "__main__":
    main()
