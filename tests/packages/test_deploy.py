"""The modules of `deploy`: what the tools for such files say of them, and what the emulated API makes of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import hcl2
import pytest
import yaml
from cfnlint.decode import cfn_yaml
from conftest import given
from moto import mock_aws
from samtranslator.translator.transform import transform

DEPLOY = Path(__file__).parents[2] / "deploy"
TEMPLATES = sorted(path for path in (DEPLOY / "cloudformation").iterdir() if path.suffix in (".yaml", ".json"))
MODULES = sorted(path for path in (DEPLOY / "terraform").iterdir())
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-central-1"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_cfn_lint_finds_nothing(template: Path) -> None:
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--include-checks", "I", "--", str(template)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, ""), run.stdout + run.stderr


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_tflint_finds_nothing(module: Path, tmp_path: Path) -> None:
    rules = tmp_path / "tflint.hcl"
    rules.write_text('plugin "terraform" {\n  enabled = true\n  preset = "all"\n}\n')
    command = [str(given("PROMPTOPS_TEST_TFLINT")), f"--config={rules}", f"--chdir={module}", "--no-color"]
    if list(module.glob("*.tf.json")):
        # What is generated is one file, with its variables and outputs.
        command.append("--disable-rule=terraform_standard_module_structure")
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, ""), run.stdout + run.stderr


POLICIES = sorted((DEPLOY / "iam").glob("*.json"))
FINDINGS = """
import json, parliament, sys
policy = parliament.analyze_policy_string(sys.stdin.read())
print(json.dumps([[finding.issue, str(finding.detail)] for finding in policy.findings]))
"""


def placed(policy: str) -> str:
    """Puts names of the right form in the places of a policy."""
    for name, value in {"account": "123456789012", "region": "eu-central-1"}.items():
        policy = policy.replace(f"${{{name}}}", value)
    return re.sub(r"\$\{\w+\}", "acme-name", policy)


def parliament_finds(policy: str) -> list[list[str]]:
    # Its imports warn, and warnings are errors here.
    command = [sys.executable, "-W", "ignore", "-c", FINDINGS]
    run = subprocess.run(command, input=policy, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found: list[list[str]] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("policy", POLICIES, ids=lambda path: path.stem)
def test_policies_name_actions_and_resources_that_there_are(policy: Path) -> None:
    text = placed(policy.read_text())
    assert parliament_finds(text) == []
    # None is for everything, and none of another kind of resource than its action.
    for statement in json.loads(text)["Statement"]:
        actions, resources = ([one] if isinstance(one, str) else one for one in (statement["Action"], statement["Resource"]))
        assert not any("*" in action for action in actions) and "*" not in resources
    wrong = text.replace('"Action": ', '"Action": "s3:NoSuchAction", "NotAction": ', 1)
    assert parliament_finds(wrong) != []


def test_the_function_that_records_by_logs_may_do_nothing_else() -> None:
    actions = json.loads(placed((DEPLOY / "iam/record-by-logs.json").read_text()))["Statement"][0]["Action"]
    assert actions == ["logs:CreateLogStream", "logs:PutLogEvents"]


def test_the_module_of_policies_knows_every_file() -> None:
    module = (DEPLOY / "terraform/iam-policies/main.tf").read_text()
    assert "/../../iam/${each.key}.json" in module
    page = (DEPLOY.parent / "docs/guides/cloud.md").read_text()
    assert [policy.stem for policy in POLICIES if f"deploy/iam/{policy.name}" not in page] == []


def parsed(module: str) -> dict[str, Any]:
    read: dict[str, Any] = hcl2.loads((DEPLOY / "terraform" / module / "main.tf").read_text())
    return read


def plain(value: Any) -> Any:
    """Returns what the parser read, without the quotes that it leaves around names and texts."""
    if isinstance(value, dict):
        return {plain(key): plain(one) for key, one in value.items() if key != "__is_block__"}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.strip('"') if isinstance(value, str) else value


def test_both_buckets_have_the_same_rules() -> None:
    template = cfn_yaml.load(str(DEPLOY / "cloudformation/registry-bucket.yaml"))
    statements = template["Resources"]["RegistryPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    document = plain(parsed("registry-bucket"))["data"][0]["aws_iam_policy_document"]["registry"]

    def rule(statement: dict[str, Any]) -> tuple[str, list[str], list[tuple[str, str, str]]]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        tests = [(test, key, value) for test, keys in statement.get("Condition", {}).items() for key, value in keys.items()]
        return statement["Sid"], list(actions), sorted(tests)

    def module_rule(statement: dict[str, Any]) -> tuple[str, list[str], list[tuple[str, str, str]]]:
        tests = [(one["test"], one["variable"], one["values"][0]) for one in statement.get("condition", [])]
        return statement["sid"], statement["actions"], sorted(tests)

    denied = [rule(statement) for statement in statements if statement["Effect"] == "Deny"]
    assert denied == [module_rule(statement) for statement in document["statement"]]
    create_only = next(tests for sid, actions, tests in denied if sid == "CreateOnly" and actions == ["s3:PutObject"])
    # As in AWS's guide: the header must be there on calls that create an object, and only on these.
    assert create_only == [("Bool", "s3:ObjectCreationOperation", "true"), ("Null", "s3:if-none-match", "true")]


# moto makes the bucket, and says that it makes no policy of it.
@pytest.mark.filterwarnings("ignore:Tried to parse AWS..S3..BucketPolicy")
@mock_aws
def test_the_bucket_is_made() -> None:
    body = (DEPLOY / "cloudformation/registry-bucket.yaml").read_text()
    role = "arn:aws:iam::123456789012:role/ci"
    values = {"Name": "acme-prompts", "Prefix": "registry", "Publishers": role, "Readers": role}
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    cloudformation = boto3.client("cloudformation", **KEYS)
    cloudformation.create_stack(StackName="registry", TemplateBody=body, Parameters=parameters)
    stack = cloudformation.describe_stacks(StackName="registry")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["Outputs"][0]["OutputValue"] == "s3://acme-prompts/registry"
    assert [bucket["Name"] for bucket in boto3.client("s3", **KEYS).list_buckets()["Buckets"]] == ["acme-prompts"]


def test_sam_makes_a_layer_version_of_the_package(layer_report: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    template = yaml.load((DEPLOY / "cloudformation/lambda-layer.yaml").read_text(), Loader=_intrinsics())
    made = transform(template, {"Bucket": "acme", "Key": "layer.zip"}, _NoPolicies())
    layers = [one for one in made["Resources"].values() if one["Type"] == "AWS::Lambda::LayerVersion"]
    assert len(layers) == 1 and layers[0]["DeletionPolicy"] == "Retain"
    assert layers[0]["Properties"]["Content"] == {"S3Bucket": {"Ref": "Bucket"}, "S3Key": {"Ref": "Key"}}
    default = template["Parameters"]["Runtimes"]["Default"].split(",")
    assert default == layer_report["compatible_runtimes"]


class _NoPolicies:
    """The managed policies of an account, of which the template names none."""

    def load(self) -> dict[str, str]:
        return {}


def _intrinsics() -> type[yaml.SafeLoader]:
    """Returns a loader that reads `!Ref` as the long form that it stands for."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!Ref", lambda loader, node: {"Ref": loader.construct_scalar(node)})
    return Loader


def resolved(value: Any, values: dict[str, str], conditions: dict[str, bool]) -> Any:
    """Resolves the references and choices of a template: moto makes no Glue jobs from templates, so its API is called instead."""
    if isinstance(value, dict) and set(value) == {"Ref"}:
        return values[value["Ref"]]
    if isinstance(value, dict) and set(value) == {"Fn::If"}:
        condition, then, otherwise = value["Fn::If"]
        return resolved(then if conditions[condition] else otherwise, values, conditions)
    if isinstance(value, dict):
        return {key: resolved(one, values, conditions) for key, one in value.items()}
    return value


@mock_aws
@pytest.mark.parametrize("kind", ["glue-zip", "glue-wheels"])
def test_the_job_is_made_with_the_arguments_of_its_package(kind: str) -> None:
    template = cfn_yaml.load(str(DEPLOY / "cloudformation/glue-job.yaml"))
    values = {"Name": "label", "Role": "arn:aws:iam::123456789012:role/glue", "Script": "s3://acme/label.py"}
    values |= {"Package": "s3://acme/package.zip", "Kind": kind, "Version": template["Parameters"]["Version"]["Default"]}
    properties = resolved(template["Resources"]["Job"]["Properties"], values, {"IsZip": kind == "glue-zip"})
    glue = boto3.client("glue", **KEYS)
    glue.create_job(**properties)
    arguments = glue.get_job(JobName="label")["Job"]["DefaultArguments"]
    module = plain(parsed("glue-package"))["locals"][0]["arguments"][kind]
    url = "s3://acme/package.zip"
    assert arguments == {key: url if value == "${local.url}" else value for key, value in module.items()}
