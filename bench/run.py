"""Measures PromptOps next to other tools, all in one run on one machine, and writes down what came out.

Started by `cargo xtask bench`, which builds and installs what it needs. Every command is started the same way and timed
from before its start to its end, start-up included. Rounds alternate between the tools, so that a slow minute of the
machine meets all of them, and figures are medians. Before the first round every file has been read once: the page cache
is warm for both sides.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import report
from evaluations import EvaluationBench
from generate_prompts import generate
from observability import ObservabilityBench
from registry import RegistryBench
from runtime import RuntimeBench
from timing import CommandRun, run_command

HERE = Path(__file__).resolve().parent
SEED = 1
MANY, FEW = 10_000, 10
ROUNDS = 5
STARTS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--promptops", type=Path, required=True, help="the binary, built in release")
    parser.add_argument("--bench-load", type=Path, required=True, help="the Rust program that times loading and rendering")
    parser.add_argument("--wheel", type=Path, required=True, help="the Python SDK, built in release")
    parser.add_argument("--scratch", type=Path, required=True, help="an empty folder for trees of prompts")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--node", action="store_true", help="the Node SDK is built, and measured too")
    parser.add_argument("--s3", help="JSON of a bucket and the environment that reaches it")
    parser.add_argument("--promptfoo", type=Path, help="the entry point of promptfoo, a Node program")
    parser.add_argument("--only", choices=list(report.PARTS), action="append", help="measure this part, and leave the figures of the others as they are")
    options = parser.parse_args()
    bench = Bench(options.promptops, options.scratch, options.rounds)

    def check() -> report.Figures:
        return {**bench.check_many(), **bench.check_few()}

    def runtime() -> report.Figures:
        return RuntimeBench(bench.promptops, options.bench_load, options.scratch, bench.environment).measure(options.node, options.wheel)

    def registry() -> report.Figures:
        return RegistryBench(bench.promptops, options.bench_load.parent, options.scratch, bench.environment, options.s3).measure()

    def evaluations() -> report.Figures:
        runners = EvaluationBench(bench.promptops, options.scratch, bench.environment, options.promptfoo, options.rounds)
        return {**runners.measure(), **report.runners(options.promptfoo)}

    def observability() -> report.Figures:
        return ObservabilityBench(bench.promptops, options.bench_load.parent, options.scratch, bench.environment, options.rounds).measure()

    measure = {"check": check, "runtime": runtime, "registry": registry, "evaluations": evaluations, "observability": observability}
    known = report.before(HERE)
    for part in options.only or report.PARTS:
        known["figures"] |= measure[part]()
        known["parts"][part] = {"revision": report.revision(), "rounds": options.rounds, "date": report.today()}
    all_met = report.write(HERE, known["figures"], known["parts"], report.describe_machine())
    sys.exit(0 if all_met else 1)


class Bench:
    """The binaries measured, and where they are measured."""

    def __init__(self, promptops: Path, scratch: Path, rounds: int) -> None:
        self.promptops = str(promptops)
        self.scratch = scratch
        self.rounds = rounds
        # The user's settings and caches stay out of it.
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMPTOPS_")}
        self.environment |= {"XDG_CACHE_HOME": str(scratch / "cache"), "PROMPTOPS_ACTOR": "bench@example.com"}

    def tree(self, count: int) -> Path:
        """Generates a project with `count` prompts."""
        folder = self.scratch / f"prompts-{count}"
        generate(folder, count, SEED)
        (folder / "promptops.toml").touch()
        return folder

    def forget(self, project: Path) -> None:
        """Deletes every cache."""
        shutil.rmtree(project / ".promptops", ignore_errors=True)
        shutil.rmtree(self.scratch / "cache", ignore_errors=True)

    def check_many(self) -> dict[str, float]:
        """`promptops check` on many prompts next to the playbook's validator."""
        project = self.tree(MANY)
        files = sorted((project / "prompts").rglob("*.yaml"))
        for file in files:
            file.read_bytes()
        check = [self.promptops, "check"]
        validate = [sys.executable, str(HERE / "peers" / "validate_playbook.py")]
        runs: dict[str, list[CommandRun]] = {name: [] for name in ("cold", "warm", "changed", "validator", "validator_deep")}

        def change(number: int) -> None:
            with files[number * 7].open("a", encoding="utf-8") as file:
                file.write(f"  Changed in round {number}.\n")

        # One tool after the other, each with one run that does not count: behind a minute on one core the other core is not
        # there at once, which would fall on whoever comes next.
        plan: list[tuple[str, list[str], Callable[[int], None]]] = [
            ("validator", validate, lambda _: None),
            ("validator_deep", [*validate, "--deep"], lambda _: None),
            ("cold", check, lambda _: self.forget(project)),
            ("warm", check, lambda _: None),
            ("changed", check, change),
        ]
        for name, command, prepare in plan:
            say(f"check {MANY} prompts, {name}")
            for number in range(self.rounds + 1):
                prepare(number)
                run = self.timed(command, project)
                if number > 0:
                    runs[name].append(run)

        figures = {f"check_{name}_s": statistics.median(run.seconds for run in many) for name, many in runs.items()}
        ours = runs["cold"] + runs["warm"] + runs["changed"]
        figures["check_peak_rss_mb"] = max(run.peak_rss_mb for run in ours)
        figures["check_validator_peak_rss_mb"] = max(run.peak_rss_mb for run in runs["validator"])
        return figures

    def check_few(self) -> dict[str, float]:
        """The start of `promptops check` on a small project, its cache deleted before each."""
        project = self.tree(FEW)
        self.timed([self.promptops, "check"], project)
        say(f"check {FEW} prompts, {STARTS} starts")
        runs = []
        for _ in range(STARTS):
            self.forget(project)
            runs.append(self.timed([self.promptops, "check"], project))
        return {"start_s": statistics.median(run.seconds for run in runs)}

    def timed(self, command: list[str], folder: Path) -> CommandRun:
        return run_command(command, folder, self.environment)


def say(text: str) -> None:
    print(f"    {text}", flush=True)


if __name__ == "__main__":
    main()
