"""Renders the measured prompt with Jinja2 and with str.format, and prints the times as JSON.

Jinja2's template is compiled once, before. str.format has no loop: the documents are five pairs of places in the text.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import jinja2
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from timing import nanoseconds_per_call  # noqa: E402


def flat_template(template: str, documents: int) -> str:
    """Writes the loop out and turns `{{ name }}` into `{name}`."""
    before, _, rest = template.partition("{% for document in documents %}\n")
    line, _, after = rest.partition("{% endfor %}\n")
    lines = [line.replace("{{ loop.index }}", str(n + 1)).replace("document.title", f"title_{n}").replace("document.text", f"text_{n}")
             for n in range(documents)]
    return (before + "".join(lines) + after).replace("{{ ", "{").replace(" }}", "}")


def main() -> None:
    template = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))["template"]
    inputs = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)
    compiled = environment.from_string(template)
    flat = flat_template(template, len(inputs["documents"]))
    flat_inputs = {name: value for name, value in inputs.items() if name != "documents"}
    for number, document in enumerate(inputs["documents"]):
        flat_inputs |= {f"title_{number}": document["title"], f"text_{number}": document["text"]}
    assert compiled.render(**inputs).strip() == flat.format(**flat_inputs).strip(), "both say the same"

    print(json.dumps({
        "jinja2_ns": nanoseconds_per_call(lambda: compiled.render(**inputs), calls=5_000),
        "format_ns": nanoseconds_per_call(lambda: flat.format(**flat_inputs), calls=5_000),
        "template_bytes": len(template.encode()),
        "version": version("jinja2"),
    }))


main()
