"""The task that inspect-ai runs: the same questions, the same prompt, the same rule."""

import sys
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from evaluations import TEMPLATE, questions  # noqa: E402


@task
def bench(count: int = 1000) -> Task:
    samples = [Sample(input=TEMPLATE + question, target="question") for question in questions(count)]
    return Task(dataset=samples, solver=generate(), scorer=includes())
