"""Dashboards, alarms and rules: read by the tools that they are for, taken by the emulated API, and evaluated by Prometheus itself."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from conftest import given, plain_environment
from moto import mock_aws

ROOT = Path(__file__).parents[2]
PLUGINS = {"prometheus": "prometheus", "cloudwatch": "cloudwatch", "athena": "grafana-athena-datasource"}
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-central-1"}
PROMPT = """\
id: {id}
version: 2
parent: 1
owner: {owner}
model: gpt-4o
tags: [support]
purpose: Sort "tickets" | by ${{team}} {{{{x}}}}
metrics: {{baseline_error_share: 0.05, baseline_latency_p95_ms: 400, cost_per_call_usd: 0.01, calls_per_hour: 40}}
template: Hello.
"""


class Monitored:
    """A project whose prompts have baselines."""

    def __init__(self, folder: Path, prompts: list[str]) -> None:
        self.folder = folder
        self.program = given("PROMPTOPS_TEST_BINARY")
        self.environment = plain_environment(folder, PROMPTOPS_ACTOR="ada@example.com")
        (folder / "promptops.toml").write_text("[environments.prod]\n")
        for number, prompt in enumerate(prompts):
            file = folder / "prompts" / f"{prompt.replace('.', '/')}.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(PROMPT.format(id=prompt, owner=f"team-{number % 7}"))

    def generate(self, *arguments: str) -> str:
        command = [str(self.program), "generate", *arguments]
        run = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert run.returncode == 0, f"{arguments}: {run.stdout}{run.stderr}"
        return run.stdout


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Monitored:
    return Monitored(tmp_path_factory.mktemp("monitored"), ["support.triage", "support.reply", "billing.refund"])


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Monitored:
    """More prompts than one dashboard, and one template, take."""
    return Monitored(tmp_path_factory.mktemp("large"), [f"support.prompt-{number}" for number in range(150)])


def lint(template: Path) -> None:
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--include-checks", "I", "--", str(template)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, ""), run.stdout + run.stderr


def test_cloudformation_takes_the_templates(project: Monitored, tmp_path: Path) -> None:
    project.generate("cloudwatch", "--out", str(tmp_path))
    project.generate("athena-ddl", "--location", "s3://acme/lake", "--format", "cloudformation", "--out", str(tmp_path))
    for template in tmp_path.iterdir():
        lint(template)
    assert {path.name for path in tmp_path.iterdir()} == {"monitoring.json", "athena.json"}


def check_dashboard(body: dict[str, Any]) -> int:
    """Holds a body against the documented limits and form, and returns how many prompts it shows."""
    widgets = body["widgets"]
    assert 0 < len(widgets) <= 500
    metrics = 0
    taken: set[tuple[int, int]] = set()
    for widget in widgets:
        assert widget["type"] in ("metric", "text") and widget["x"] + widget["width"] <= 24
        cells = {(x, y) for x in range(widget["x"], widget["x"] + widget["width"]) for y in range(widget["y"], widget["y"] + widget["height"])}
        assert not taken & cells, "two widgets overlap"
        taken |= cells
        shown = widget["properties"].get("metrics", [])
        assert len(shown) <= 500
        metrics += len(shown)
        if widget["type"] == "metric":
            assert widget["properties"]["region"] == "eu-central-1"
    assert metrics <= 2500
    return sum(widget["type"] == "text" for widget in widgets) - 1


@mock_aws
def test_the_api_takes_dashboards_and_alarms(large: Monitored, tmp_path: Path) -> None:
    large.generate("cloudwatch", "--format", "json", "--region", "eu-central-1", "--out", str(tmp_path))
    cloudwatch = boto3.client("cloudwatch", **KEYS)
    files = sorted((tmp_path / "dashboards").iterdir())
    assert sum(check_dashboard(json.loads(file.read_text())) for file in files) == 150 and len(files) == 3
    for file in files:
        assert cloudwatch.put_dashboard(DashboardName=file.stem, DashboardBody=file.read_text())["DashboardValidationMessages"] == []
    assert len(cloudwatch.list_dashboards()["DashboardEntries"]) == 3
    alarms = json.loads((tmp_path / "alarms.json").read_text())
    # botocore holds every parameter against the service's own model before it is sent.
    for alarm in alarms:
        cloudwatch.put_metric_alarm(**alarm)
    stored = [alarm for page in cloudwatch.get_paginator("describe_alarms").paginate() for alarm in page["MetricAlarms"]]
    assert {alarm["AlarmName"] for alarm in stored} == {alarm["AlarmName"] for alarm in alarms} and len(stored) == 150 * 4
    silence = next(alarm for alarm in stored if alarm["AlarmName"] == "promptops-prod-support.prompt-7-silence")
    assert (silence["TreatMissingData"], silence["EvaluationPeriods"], silence["Threshold"]) == ("breaching", 1, 1.0)


def test_many_prompts_are_split_over_templates(large: Monitored, tmp_path: Path) -> None:
    large.generate("cloudwatch", "--out", str(tmp_path))
    templates = sorted(tmp_path.iterdir())
    assert len(templates) > 1
    names: list[str] = []
    for template in templates:
        assert template.stat().st_size < 1_000_000
        resources = json.loads(template.read_text())["Resources"]
        assert len(resources) <= 500
        names += [one["Properties"].get("AlarmName") or one["Properties"]["DashboardName"] for one in resources.values()]
    assert len(names) == len(set(names)) == 150 * 4 + 3
    lint(templates[-1])


@mock_aws
def test_what_the_template_makes_is_what_the_api_takes(project: Monitored) -> None:
    """moto makes no alarms from templates, so their references are resolved here and its API is called."""
    topic = "arn:aws:sns:eu-central-1:123456789012:oncall"

    def resolved(value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
            return value["Fn::Sub"].replace("${AWS::Region}", "eu-central-1").replace("${!", "${")
        if isinstance(value, dict) and set(value) == {"Fn::If"}:
            return resolved(value["Fn::If"][1])
        if isinstance(value, dict):
            return topic if value == {"Ref": "AlarmTopic"} else {key: resolved(one) for key, one in value.items()}
        return [resolved(one) for one in value] if isinstance(value, list) else value

    cloudwatch = boto3.client("cloudwatch", **KEYS)
    for resource in json.loads(project.generate("cloudwatch"))["Resources"].values():
        put = cloudwatch.put_metric_alarm if resource["Type"] == "AWS::CloudWatch::Alarm" else cloudwatch.put_dashboard
        put(**resolved(resource["Properties"]))
    alarms = cloudwatch.describe_alarms()["MetricAlarms"]
    assert len(alarms) == 12 and all(alarm["AlarmActions"] == [topic] for alarm in alarms)
    names = sorted(entry["DashboardName"] for entry in cloudwatch.list_dashboards()["DashboardEntries"])
    assert names == ["promptops-prod-billing", "promptops-prod-support"]
    shown = json.loads(cloudwatch.get_dashboard(DashboardName=names[1])["DashboardBody"])
    check_dashboard(shown)
    # What was written of a prompt is shown as it is, and nothing in it was filled in.
    assert "${team}" in json.dumps(shown) and "${PROP('Dim.prompt_version')}" in json.dumps(shown)


def test_terraform_takes_the_modules(project: Monitored, tmp_path: Path) -> None:
    for kind, more in (("cloudwatch", []), ("athena-ddl", ["--location", "s3://acme/lake"])):
        module = tmp_path / kind
        project.generate(kind, *more, "--format", "terraform", "--out", str(module))
        rules = tmp_path / "tflint.hcl"
        rules.write_text('plugin "terraform" {\n  enabled = true\n  preset = "all"\n}\n')
        command = [str(given("PROMPTOPS_TEST_TFLINT")), f"--config={rules}", f"--chdir={module}", "--no-color"]
        # Where what is generated stands in one file, its variables and outputs stand there too.
        command.append("--disable-rule=terraform_standard_module_structure")
        run = subprocess.run(command, capture_output=True, text=True)
        assert (run.returncode, run.stdout) == (0, ""), run.stdout + run.stderr
    # What Terraform evaluates to: each template of a text read as HCL reads it.
    module = json.loads((tmp_path / "cloudwatch/main.tf.json").read_text())
    for dashboard in module["resource"]["aws_cloudwatch_dashboard"].values():
        body = dashboard["dashboard_body"]
        assert set(re.findall(r"(?<!\$)\$\{([^}]*)\}", body)) == {"data.aws_region.current.id"}
        evaluated = body.replace("${data.aws_region.current.id}", "eu-central-1").replace("$${", "${").replace("%%{", "%{")
        check_dashboard(json.loads(evaluated))


@pytest.mark.parametrize("source", ["prometheus", "cloudwatch", "athena"])
def test_grafana_knows_every_field(project: Monitored, source: str) -> None:
    checker = given("PROMPTOPS_TEST_GRAFANA_SCHEMA")
    dashboard = project.generate("grafana", "--source", source)
    run = subprocess.run([str(checker)], input=dashboard, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    # The queries were read as those of their source, not as something unknown.
    assert lines[-1] == "panels 7" and set(lines[:-1]) == {PLUGINS[source]}, lines
    # And it refuses what Grafana does not know.
    read = json.loads(dashboard)
    read["panels"][2]["targets"][0]["no_such_field"] = 1
    assert subprocess.run([str(checker)], input=json.dumps(read), capture_output=True, text=True).returncode == 1


def test_promtool_takes_the_rules_and_they_go_off(project: Monitored, tmp_path: Path) -> None:
    promtool = str(given("PROMPTOPS_TEST_PROMTOOL"))
    project.generate("prometheus-rules", "--out", str(tmp_path))
    rules = tmp_path / "promptops.rules.yaml"
    run = subprocess.run([promtool, "check", "rules", "--lint=all", "--lint-fatal", str(rules)], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(yaml.safe_load(rules.read_text())["groups"]) == 4

    of = 'environment="prod",prompt_id="support.{}",prompt_version="2",model="m"'
    triage, reply, refund = of.format("triage"), of.format("reply"), of.replace("support", "billing").format("refund")
    series = [
        # A fifth of the calls of one fails; the other's all succeed, slowly.
        (f'promptops_invocations_total{{{triage},status="ok"}}', "0+8x300"),
        (f'promptops_invocations_total{{{triage},status="error"}}', "0+2x300"),
        (f'promptops_invocation_latency_seconds_bucket{{{triage},le="0.64"}}', "0+10x300"),
        (f'promptops_invocation_latency_seconds_bucket{{{triage},le="+Inf"}}', "0+10x300"),
        (f'promptops_invocations_total{{{reply},status="ok"}}', "0+10x300"),
        (f'promptops_invocation_latency_seconds_bucket{{{reply},le="0.64"}}', "0+1x300"),
        (f'promptops_invocation_latency_seconds_bucket{{{reply},le="1.28"}}', "0+10x300"),
        (f'promptops_invocation_latency_seconds_bucket{{{reply},le="+Inf"}}', "0+10x300"),
        (f"promptops_invocation_cost_usd_total{{{reply}}}", "0+0.02x300"),
        # One is called for an hour, and then not any more.
        (f'promptops_invocations_total{{{refund},status="ok"}}', "0+1x60 60+0x240"),
        ("promptops_invocations_recorded_total", "0+20x300"),
    ]

    def expected(name: str, prompt: str, at: str, summary: str | None) -> dict[str, Any]:
        owner = {"support.triage": "team-0", "support.reply": "team-1", "billing.refund": "team-2"}[prompt]
        labels = {"environment": "prod", "prompt_id": prompt, "owner": owner, "severity": "warning"}
        description = 'Sort "tickets" | by ${team} { {x} }'
        annotations = {"summary": f"{prompt} in prod: {summary}", "description": description}
        alerts = [{"exp_labels": labels, "exp_annotations": annotations}] if summary else []
        return {"eval_time": at, "alertname": name, "exp_alerts": alerts}

    tests = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series],
                "alert_rule_test": [
                    expected("PromptErrors", "support.triage", "2m", None),
                    expected("PromptErrors", "support.triage", "30m", "20% of calls fail, more than 10 %"),
                    expected("PromptLatency", "support.reply", "30m", "the 95th percentile of latency is 1.244s, more than 800 ms"),
                    expected("PromptCost", "support.reply", "90m", "the last hour cost 1.20 USD, more than 0.8"),
                    expected("PromptSilent", "billing.refund", "100m", None),
                    expected("PromptSilent", "billing.refund", "140m", "no call for 1 h or more"),
                ],
            },
            # A prompt that nobody has called since the servers were looked at first.
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": values} for name, values in series if "refund" not in name and "cost" not in name
                ],
                "alert_rule_test": [
                    expected("PromptSilent", "billing.refund", "50m", None),
                    expected("PromptSilent", "billing.refund", "80m", "no call for 1 h or more"),
                ],
            },
        ],
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests))
    run = subprocess.run([promtool, "test", "rules", str(tmp_path / "tests.yaml")], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(command: list[str], log: Path, **named: Any) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, **named)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def answer(url: str, body: bytes | None = None) -> str:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"} if body else {})
    with urllib.request.urlopen(request, timeout=10) as response:
        return str(response.read().decode())


def eventually(look: Callable[[], Any], process: subprocess.Popen[bytes], log: Path, limit_s: float = 60.0) -> Any:
    """Asks again until there is an answer that is one."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            found = look()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            found = None
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_prometheus_scrapes_a_server_and_the_rules_go_off(project: Monitored, tmp_path: Path) -> None:
    prometheus, promtool = str(given("PROMPTOPS_TEST_PROMETHEUS")), str(given("PROMPTOPS_TEST_PROMTOOL"))
    project.generate("prometheus-rules", "--out", str(tmp_path))
    # A test does not wait for a quarter of an hour; the names and the arithmetic stay.
    rules = (tmp_path / "promptops.rules.yaml").read_text()
    quick = re.sub(r'\bfor: "[^"]*"', 'for: "0s"', re.sub(r'interval: "1m"', 'interval: "1s"', rules))
    (tmp_path / "quick.yaml").write_text(re.sub(r"\[(15m|1h)\]", "[20s]", quick))
    subprocess.run([str(project.program), "registry", "init"], cwd=project.folder, env=project.environment, check=True, capture_output=True)
    server, port = free_port(), free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(tmp_path / "quick.yaml")],
        "scrape_configs": [{"job_name": "promptops", "static_configs": [{"targets": [f"127.0.0.1:{server}"]}]}],
    }
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config))
    serve = [str(project.program), "serve", "--record", "--read-only", "--trust-loopback", "--listen", f"127.0.0.1:{server}"]
    watch = [prometheus, f"--config.file={tmp_path}/prometheus.yaml", f"--storage.tsdb.path={tmp_path}/data"]
    watch.append(f"--web.listen-address=127.0.0.1:{port}")
    logs = tmp_path / "serve.log", tmp_path / "prometheus.log"

    def records(number: int) -> bytes:
        now = datetime.now(timezone.utc)
        made = [
            {
                "time": (now - timedelta(milliseconds=one)).isoformat(),
                "invocation_id": f"019f0000-0000-7000-8000-{number:04}{one:08}",
                "environment": "prod", "prompt_id": "support.triage", "prompt_version": 2, "requested_model": "gpt-4o",
                "latency_ms": 300.0, "input_tokens": 10, "output_tokens": 2, "cost_usd": 0.001,
                "status": "error" if one % 4 == 0 else "ok",
            }
            for one in range(40)
        ]
        return json.dumps(made).encode()

    with running(serve, logs[0], cwd=project.folder, env=project.environment) as serving:
        metrics = f"http://127.0.0.1:{server}/metrics"
        eventually(lambda: answer(metrics), serving, logs[0])
        with running(watch, logs[1]) as watching:
            ask = f"http://127.0.0.1:{port}/api/v1/query?query="

            def query(expression: str) -> dict[str, float]:
                result = json.loads(answer(ask + urllib.parse.quote(expression)))["data"]["result"]
                return {json.dumps(one["metric"], sort_keys=True): float(one["value"][1]) for one in result}

            eventually(lambda: query("up == 1"), watching, logs[1])
            sent = 0

            def sent_until(expression: str) -> dict[str, float] | None:
                nonlocal sent
                answer(f"http://127.0.0.1:{server}/v1/invocations", records(sent))
                sent += 1
                time.sleep(0.5)
                return query(expression)

            firing = 'ALERTS{alertname="PromptErrors",prompt_id="support.triage",alertstate="firing"}'
            found = eventually(lambda: sent_until(firing), watching, logs[1], 90)
            assert '"owner": "team-0"' in next(iter(found))
            share = query('prompt:promptops_invocation_errors:ratio15m{prompt_id="support.triage"}')
            assert abs(next(iter(share.values())) - 0.25) < 1e-9
            p95 = query('prompt:promptops_invocation_latency_seconds:p95_15m{prompt_id="support.triage"}')
            assert 0.16 < next(iter(p95.values())) <= 0.32
            # Everything that was acknowledged is counted when it has been shipped.
            counted = f"sum(promptops_invocations_total) == {sent * 40}"
            eventually(lambda: query(counted), watching, logs[1])
            assert abs(next(iter(query("sum(promptops_invocation_cost_usd_total)").values())) - sent * 0.04) < 1e-6
        shown = answer(metrics)
    run = subprocess.run([promtool, "check", "metrics"], input=shown, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "promptops_invocation_latency_seconds_bucket" in shown
