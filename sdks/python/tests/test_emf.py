"""Metrics on standard output, held against awslabs' own library (its limits, and what it writes of the same metrics), and against the
JSON Schema of the format that AWS published with its Powertools for Lambda 1.10.0 (MIT-0): `emf.schema.json`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import vectors, write_sources

pytest.importorskip("aws_embedded_metrics")
jsonschema = pytest.importorskip("jsonschema")
from aws_embedded_metrics import validator  # noqa: E402
from aws_embedded_metrics.constants import MAX_METRICS_PER_EVENT  # noqa: E402
from aws_embedded_metrics.exceptions import InvalidDimensionError  # noqa: E402
from aws_embedded_metrics.logger.metrics_context import MetricsContext  # noqa: E402
from aws_embedded_metrics.serializers.log_serializer import LogSerializer  # noqa: E402

SCHEMA = jsonschema.Draft7Validator(json.loads((Path(__file__).parent / "emf.schema.json").read_text()))

PROGRAM = """
import json, sys
import promptops
prompt = promptops.load_prompt("customer-support.intent-classifier")
for case in json.load(sys.stdin):
    with prompt.invocation(session=case.get("session")) as call:
        if "error" in case:
            call.error(case["error"])
        else:
            call.record(case["reply"], cost_usd=case.get("cost_usd"))
"""

REPLIES: list[dict[str, Any]] = [{"reply": case["reply"], "cost_usd": 0.0031} for case in vectors("reply.json")["cases"]]
CASES = [
    *REPLIES,
    {"reply": "billing"},
    {"reply": "x" * 100_000, "session": "s" * 5000},
    {"reply": "billing", "cost_usd": float("inf")},
    {"reply": "billing", "cost_usd": -1.0},
    {"error": "timeout"},
    {"error": "Größe \n überschritten"},
]


def lines(folder: Path, environment: str) -> list[str]:
    write_sources(folder, vectors("load.json"), {})
    variables = {"PROMPTOPS_EMF": "1", "PROMPTOPS_ENVIRONMENT": environment, "PROMPTOPS_SERVICE": "shop"}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **variables},
        input=json.dumps(CASES),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    written = ended.stdout.splitlines()
    assert len(written) == len(CASES)
    return written


def said_by_the_library(event: dict[str, Any]) -> dict[str, Any]:
    """Gives the library the metrics, dimensions and properties of an event, which it checks, and returns what it writes of them."""
    [directive] = event["_aws"]["CloudWatchMetrics"]
    validator.validate_namespace(directive["Namespace"])
    context = MetricsContext.empty()
    context.namespace = directive["Namespace"]
    context.set_timestamp(datetime.fromtimestamp(event["_aws"]["Timestamp"] / 1000, tz=timezone.utc))
    context.meta["Timestamp"] = event["_aws"]["Timestamp"]
    for names in directive["Dimensions"]:
        context.put_dimensions({name: event[name] for name in names})
    for metric in directive["Metrics"]:
        assert set(metric) <= {"Name", "Unit"}
        context.put_metric(metric["Name"], event[metric["Name"]], metric.get("Unit"))
    known = {"_aws", *sum(directive["Dimensions"], []), *(metric["Name"] for metric in directive["Metrics"])}
    for name, value in event.items():
        if name not in known:
            context.set_property(name, value)
    [text] = LogSerializer.serialize(context)
    return json.loads(text)


@pytest.mark.parametrize("environment", ["prod", "größe 1", "e" * 3000, " ", ":colon"], ids=lambda text: text[:8])
def test_the_library_takes_each_metric_and_writes_the_same(tmp_path: Path, environment: str) -> None:
    named = set()
    for line in lines(tmp_path, environment):
        assert len(line.encode()) < 256 * 1024
        event = json.loads(line)
        SCHEMA.validate(event)
        [directive] = event["_aws"]["CloudWatchMetrics"]
        assert 0 < len(directive["Metrics"]) <= MAX_METRICS_PER_EVENT
        assert said_by_the_library(event) == event
        named |= {metric["Name"] for metric in directive["Metrics"]}
    assert named == {"Latency", "InputTokens", "OutputTokens", "CostUSD", "Errors", "Invocations"}


def test_what_is_wrong_is_refused(tmp_path: Path) -> None:
    event = json.loads(lines(tmp_path, "prod")[0])
    with pytest.raises(InvalidDimensionError):
        said_by_the_library({**event, "environment": "größe"})
    with pytest.raises(jsonschema.ValidationError):
        SCHEMA.validate(json.loads(json.dumps(event).replace("Milliseconds", "Hours")))
    other = json.loads(json.dumps(event).replace("Milliseconds", "Percent"))
    assert said_by_the_library(other) == other != event
