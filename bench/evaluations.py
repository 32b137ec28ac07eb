"""The part of `run.py` that measures evals: PromptOps next to promptfoo and inspect-ai, the same cases, the same server.

Every runner asks `model_server.py` the same messages and checks each answer with one rule. Times are those of whole
commands, start-up included; processor time is that of the command and whatever it starts, without the server. Rounds
alternate between the runners. promptfoo is a Node program: `--promptfoo` names its entry point, without it that column is
left out.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from registry import free_port

HERE = Path(__file__).resolve().parent
CASES, CONCURRENCY, LATENCY_MS = 1_000, 100, 200
MANY = 100_000
STARTS = 20
WORDS = "order invoice parcel refund delivery account password charge receipt return exchange warranty".split()
TEMPLATE = "You are the assistant of a shop.\n" + "".join(f"Rule {number}: answer briefly, kindly and to the point.\n" for number in range(40))


@dataclass(frozen=True)
class Run:
    """One run of a command."""

    seconds: float
    cpu_seconds: float
    peak_rss_mb: float


class EvaluationBench:
    """What is measured with, and where."""

    def __init__(self, promptops: str, scratch: Path, environment: dict[str, str], promptfoo: str | None, rounds: int) -> None:
        self.promptops = promptops
        self.folder = scratch / "evaluations"
        # Whether a pipeline runs this must not decide whether answers are asked for.
        self.environment = {name: value for name, value in environment.items() if name != "CI"}
        self.promptfoo = promptfoo
        self.rounds = rounds

    def measure(self) -> dict[str, float | str]:
        self.folder.mkdir(parents=True)
        figures: dict[str, float | str] = {}
        with model_server(0) as (url, processor):
            figures |= self.compare("eval", url, {"promptops": 20, "promptfoo": 20, "inspect": 20})
            figures |= self.start(url)
            figures |= self.many(url, processor)
        with model_server(LATENCY_MS) as (url, _):
            figures |= self.compare("eval_latency", url, {"promptops": CONCURRENCY, "promptfoo": CONCURRENCY, "inspect": CONCURRENCY})
        figures["eval_latency_ideal_s"] = CASES / CONCURRENCY * LATENCY_MS / 1000
        return figures

    def compare(self, name: str, url: str, concurrency: dict[str, int]) -> dict[str, float | str]:
        """Runs the same cases with every runner, turn by turn; the first turn does not count."""
        project = self.project(f"{name}-{CASES}", CASES)
        commands = {"promptops": lambda: self.eval(project, url, concurrency["promptops"])}
        commands["inspect"] = lambda: self.inspect(url, concurrency["inspect"])
        if self.promptfoo:
            commands["promptfoo"] = lambda: self.run_promptfoo(url, concurrency["promptfoo"])
        runs: dict[str, list[Run]] = {runner: [] for runner in commands}
        for number in range(self.rounds + 1):
            for runner, command in commands.items():
                print(f"    {name}: {CASES} cases, {runner}", flush=True)
                run = command()
                if number > 0:
                    runs[runner].append(run)
        figures: dict[str, float | str] = {}
        for runner, many in runs.items():
            suffix = "" if runner == "promptops" else f"_{runner}"
            figures[f"{name}{suffix}_s"] = statistics.median(run.seconds for run in many)
            figures[f"{name}_cpu_per_case{suffix}_s"] = statistics.median(run.cpu_seconds for run in many) / CASES
            figures[f"{name}_peak_rss{suffix}_mb"] = max(run.peak_rss_mb for run in many)
        return figures

    def start(self, url: str) -> dict[str, float]:
        """An eval of one case, whose answer is recorded."""
        project = self.project("start", 1)
        self.eval(project, url, 1, "auto")
        print(f"    eval of one recorded case, {STARTS} starts", flush=True)
        runs = [self.timed([self.promptops, "eval", "--replay", "only"], project, self.environment) for _ in range(STARTS)]
        figures = {"eval_start_s": statistics.median(run.seconds for run in runs)}
        # The peers answer one case anew: what they spend is their start.
        peers = {"inspect": lambda: self.inspect(url, 1, count=1)}
        if self.promptfoo:
            peers["promptfoo"] = lambda: self.run_promptfoo(url, 1, count=1)
        for runner, command in peers.items():
            print(f"    eval of one case, {runner}, {self.rounds} starts", flush=True)
            command()
            figures[f"eval_start_{runner}_s"] = statistics.median(command().seconds for _ in range(self.rounds))
        return figures

    def many(self, url: str, processor) -> dict[str, float]:
        """Many cases, recorded once and replayed once: in memory that must not depend on their number."""
        project = self.project("many", MANY)
        print(f"    eval: {MANY} cases, asked and recorded", flush=True)
        before = processor()
        asked = self.eval(project, url, CONCURRENCY, "auto")
        server = processor() - before
        print(f"    eval: {MANY} cases, replayed", flush=True)
        replayed = self.timed([self.promptops, "eval", "--replay", "only"], project, self.environment)
        return {
            "eval_many_s": asked.seconds,
            "eval_many_cpu_per_case_s": asked.cpu_seconds / MANY,
            "eval_many_server_cpu_per_case_s": server / MANY,
            "eval_many_peak_rss_mb": max(asked.peak_rss_mb, replayed.peak_rss_mb),
            "eval_many_replayed_s": replayed.seconds,
        }

    def project(self, name: str, count: int) -> Path:
        folder = self.folder / name
        (folder / "prompts" / "bench").mkdir(parents=True)
        (folder / "evals").mkdir()
        (folder / "promptops.toml").touch()
        rules = TEMPLATE.replace("\n", "\n  ")
        (folder / "prompts" / "bench" / "reply.yaml").write_text(
            "id: bench.reply\nversion: 1\nowner: bench\npurpose: Answer questions\nmodel: mock\ntags: [bench]\n"
            "parameters: {temperature: 0}\ninputs:\n  question: {type: string}\nevals: [evals/reply.yaml]\n"
            f"template: |\n  {rules}\n  {{{{ question }}}}\n", encoding="utf-8")
        (folder / "evals" / "reply.yaml").write_text(
            "prompt: bench.reply\ndataset: cases.csv\nmetrics:\n"
            "  - {name: answered, scorer: {type: contains, value: question}, margin: 0.1, minimum: 0.9}\n", encoding="utf-8")
        lines = "".join(f"{question}\n" for question in questions(count))
        (folder / "evals" / "cases.csv").write_text("question\n" + lines, encoding="utf-8")
        for command in (["init", "--quiet", "--initial-branch", "main"], ["add", "."], ["commit", "--quiet", "--message", "An eval"]):
            subprocess.run(["git", *command], cwd=folder, env=self.environment, check=True)
        return folder

    def eval(self, project: Path, url: str, concurrency: int, replay: str = "off") -> Run:
        command = [self.promptops, "eval", "--url", url, "--concurrency", str(concurrency), "--replay", replay]
        return self.timed(command, project, self.environment)

    def inspect(self, url: str, concurrency: int, count: int = CASES) -> Run:
        logs = self.fresh("inspect-logs")
        command = [str(Path(sys.executable).with_name("inspect")), "eval", "eval_inspect.py",
                   "--model", "openai/mock", "-M", "responses_api=false", "--max-connections", str(concurrency),
                   "--max-samples", str(concurrency), "--display", "none", "--log-dir", str(logs), "-T", f"count={count}"]
        # It takes the paths of tasks from the folder that it is started in.
        return self.timed(command, HERE / "peers", self.environment | {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none"})

    def run_promptfoo(self, url: str, concurrency: int, count: int = CASES) -> Run:
        provider = {"id": "openai:chat:mock", "config": {"apiBaseUrl": url, "apiKey": "none", "temperature": 0}}
        tests = [{"vars": {"question": question}, "assert": [{"type": "contains", "value": "question"}]} for question in questions(count)]
        config = {"prompts": [TEMPLATE + "{{ question }}"], "providers": [provider], "tests": tests}
        # JSON is YAML, and the name decides how it is read.
        (self.folder / "promptfooconfig.yaml").write_text(json.dumps(config), encoding="utf-8")
        home = self.fresh("promptfoo-home")
        environment = self.environment | {
            "PROMPTFOO_CONFIG_DIR": str(home), "PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1",
            "PROMPTFOO_DISABLE_REMOTE_GENERATION": "true", "PROMPTFOO_SELF_HOSTED": "1", "PROMPTFOO_DISABLE_SHARING": "1",
        }
        command = ["node", str(self.promptfoo), "eval", "-c", str(self.folder / "promptfooconfig.yaml"), "--no-cache",
                   "-j", str(concurrency), "--no-progress-bar", "--no-table"]
        # Its logger breaks now and then as it ends, when the eval is over and told.
        return self.timed(command, self.folder, environment, over="Eval complete")

    def fresh(self, name: str) -> Path:
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def timed(self, command: list[str], folder: Path, environment: dict[str, str], over: str | None = None) -> Run:
        """Runs a command that must succeed, or at least say that it is over; its output is thrown away."""
        log = self.folder / "last.log"
        start = time.perf_counter()
        with log.open("wb") as output:
            child = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        said = log.read_text(encoding="utf-8", errors="replace")
        if child.returncode != 0 and not (over and over in said):
            raise SystemExit(f"{' '.join(command)} ended with {child.returncode}\n{said[-2000:]}")
        return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def questions(count: int) -> list[str]:
    """The same questions for every runner."""
    chosen = random.Random(5)
    return [f"question {number:06} " + " ".join(chosen.choice(WORDS) for _ in range(12)) for number in range(count)]


@contextmanager
def model_server(latency_ms: int) -> Iterator[tuple[str, object]]:
    """Runs the server; gives its URL, and what tells its processor time so far."""
    port = free_port()
    child = subprocess.Popen([sys.executable, HERE / "model_server.py", str(port), str(latency_ms)], stdin=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/v1"

    def processor() -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/processor") as answer:
            return json.loads(answer.read())["seconds"]

    try:
        for _ in range(100):
            try:
                processor()
                break
            except OSError:
                time.sleep(0.1)
        yield url, processor
    finally:
        child.terminate()
        child.wait()
