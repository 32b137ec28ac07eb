"""The part of `run.py` that measures the SDKs: loading, rendering and recording, warm, and the first load of a new process."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from timing import run_command

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
STARTS = 20
ID = "bench.reply"


class RuntimeBench:
    """One published prompt of 2 KB with a loop, and the environment in which programs load it."""

    def __init__(self, promptops: str, bench_load: Path, scratch: Path, environment: dict[str, str]) -> None:
        self.promptops = promptops
        self.bench_load = str(bench_load)
        self.project = scratch / "project"
        shutil.copytree(HERE / "project", self.project)
        self.prompt = str(self.project / "prompts" / "bench" / "reply.yaml")
        self.inputs = str(self.project / "inputs.json")
        # What is published is what is committed.
        for command in (
            ["git", "init", "--quiet", "--initial-branch", "main"],
            ["git", "add", "."],
            ["git", "commit", "--quiet", "--message", "One prompt"],
            [promptops, "registry", "init"],
            [promptops, "publish", ID],
            [promptops, "deploy", "--env", "prod"],
            [promptops, "lock", "--env", "prod"],
            [promptops, "bundle"],
        ):
            run_command(command, self.project, environment)
        registry = {"PROMPTOPS_REGISTRY": (self.project / ".promptops" / "registry").as_uri()}
        self.from_registry = environment | registry
        self.from_bundle = environment | {"PROMPTOPS_BUNDLE": str(self.project / "prompts.bundle")}

    def measure(self, has_node: bool, wheel: Path) -> dict[str, float | str]:
        return {**self.warm(has_node), **self.first_load(), **self.record(has_node), **self.package(wheel)}

    def warm(self, has_node: bool) -> dict[str, float | str]:
        """Loads and renders in Rust, Python and Node, next to other tools."""
        print("    load and render one prompt, warm", flush=True)
        rust = self.answer([self.bench_load, self.prompt, self.inputs])
        python = self.answer([sys.executable, str(HERE / "load_promptops.py"), self.inputs])
        langfuse = self.answer([sys.executable, str(PEERS / "load_langfuse.py"), self.prompt])
        mlflow = self.answer([sys.executable, str(PEERS / "load_mlflow.py"), str(self.project / "mlflow.db"), self.prompt])
        rendered = self.answer([sys.executable, str(PEERS / "render_python.py"), self.prompt, self.inputs])
        figures = {
            "load_rust_ns": rust["load_by_version_ns"],
            "load_python_ns": python["load_ns"],
            "load_langfuse_ns": langfuse["load_ns"],
            "load_mlflow_ns": mlflow["load_ns"],
            "render_rust_ns": rust["render_ns"],
            "render_rust_engine_ns": rust["render_by_engine_ns"],
            "render_python_ns": python["render_ns"],
            "render_jinja2_ns": rendered["jinja2_ns"],
            "render_format_ns": rendered["format_ns"],
            "render_template_bytes": rendered["template_bytes"],
            "langfuse_version": langfuse["version"],
            "jinja2_version": rendered["version"],
        }
        if has_node:
            node = self.answer(["node", str(HERE / "load_promptops.mjs"), self.inputs])
            figures |= {"load_node_ns": node["load_ns"], "render_node_ns": node["render_ns"], "node_version": node["version"]}
        return figures

    def first_load(self) -> dict[str, float]:
        """A new interpreter that imports the SDK and loads from a bundle, next to the playbook's loader, less the interpreter itself."""
        print(f"    import and first load, {STARTS} starts", flush=True)
        programs = {
            "interpreter": ["-c", "pass"],
            "promptops": ["-c", f"from promptops import load_prompt; load_prompt({ID!r})"],
            "playbook": [str(PEERS / "load_playbook.py"), str(self.project / "prompts"), ID],
        }
        seconds: dict[str, list[float]] = {name: [] for name in programs}
        for number in range(STARTS + 1):
            for name, arguments in programs.items():
                run = run_command([sys.executable, *arguments], self.project, self.from_bundle)
                # The first ones read files that were in no cache.
                if number > 0:
                    seconds[name].append(run.seconds)
        median = {name: statistics.median(runs) for name, runs in seconds.items()}
        return {
            "first_load_python_s": median["promptops"] - median["interpreter"],
            "first_load_playbook_s": median["playbook"] - median["interpreter"],
        }

    def record(self, has_node: bool) -> dict[str, float]:
        """What recording an invocation to CloudWatch's metrics on standard output takes of the caller's time."""
        print("    record an invocation", flush=True)
        programs = {"python": [sys.executable, str(HERE / "record_promptops.py")]}
        if has_node:
            programs["node"] = ["node", str(HERE / "record_promptops.mjs")]
        figures = {}
        for name, program in programs.items():
            # Standard output is the sink.
            answer = self.project / f"record-{name}.json"
            run_command([*program, str(answer)], self.project, self.from_bundle | {"PROMPTOPS_EMF": "1"})
            figures[f"record_{name}_ns"] = json.loads(answer.read_text(encoding="utf-8"))["record_ns"]
        return figures

    def package(self, wheel: Path) -> dict[str, float]:
        """The layer for Lambda with the SDK and this prompt."""
        layer = self.project / "layer.zip"
        run_command([self.promptops, "package", "lambda-layer", "--wheel", str(wheel), "--out", str(layer)], self.project, self.from_registry)
        return {"layer_mb": layer.stat().st_size / 2**20}

    def answer(self, command: list[str]) -> dict:
        """Runs a program that measures itself and reads the JSON it prints."""
        done = subprocess.run(command, cwd=self.project, env=self.from_registry, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
        return json.loads(done.stdout)
