"""Loads a prompt once with the loader of the PromptOps playbook, as its text has it.

    load_playbook.py <folder of prompts> <id>
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

PROMPTS_DIR = Path(sys.argv[1])


@dataclass
class Prompt:
    id: str
    version: int
    owner: str
    model: str
    template: str
    tags: list[str]


def load_prompt(prompt_id: str) -> Prompt:
    """Load a prompt by ID. Same import path in Lambda or Glue."""
    path = PROMPTS_DIR / f"{prompt_id.replace('.', '/')}.yaml"
    data = yaml.safe_load(path.read_text())
    return Prompt(
        id=data["id"],
        version=data["version"],
        owner=data["owner"],
        model=data["model"],
        template=data["template"],
        tags=data.get("tags", []),
    )


load_prompt(sys.argv[2])
