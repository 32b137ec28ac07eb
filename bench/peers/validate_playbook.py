"""The validator of the PromptOps playbook, as a team would run it on every pull request.

    python validate_playbook.py [--deep]          in the folder that holds `prompts`

It differs from the playbook's text in one thing that favours it: PyYAML's C loader instead of the pure Python one. With
--deep it also does what `promptops check` always does of the template: parse it and compare the variables it uses with
the declared inputs, here with Jinja2's own analysis.
"""

import sys
from pathlib import Path

import yaml

REQUIRED = {"id", "version", "owner", "model", "template", "tags"}


def validate(path, analyse):
    data = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    errors = []
    missing = REQUIRED - set(data.keys())
    if missing:
        errors.append(f"{path}: missing required fields {missing}")
    if not data.get("template", "").strip():
        errors.append(f"{path}: empty template")
    if not isinstance(data.get("version"), int):
        errors.append(f"{path}: version must be an integer")
    if analyse is not None:
        errors.extend(f"{path}: {problem}" for problem in analyse(data))
    return errors


def template_analysis():
    """Returns a function that lists what is wrong with a prompt's template."""
    import jinja2
    from jinja2 import meta

    environment = jinja2.Environment()

    def analyse(data):
        try:
            used = meta.find_undeclared_variables(environment.parse(data["template"]))
        except jinja2.TemplateSyntaxError as error:
            return [f"template: {error}"]
        declared = set(data.get("inputs", {}))
        problems = [f"undeclared variable {name}" for name in sorted(used - declared)]
        return problems + [f"unused input {name}" for name in sorted(declared - used)]

    return analyse


if __name__ == "__main__":
    analyse = template_analysis() if "--deep" in sys.argv[1:] else None
    all_errors = []
    for prompt_path in Path("prompts").rglob("*.yaml"):
        all_errors.extend(validate(prompt_path, analyse))
    if all_errors:
        print("\n".join(all_errors))
        sys.exit(1)
    print("All prompts valid")
