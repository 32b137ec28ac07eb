"""Python's values in templates: those rendered where they are and those converted for the template engine are told apart by nobody."""

from __future__ import annotations

import collections
import datetime
import types
from pathlib import Path
from typing import Any

import promptops
import pytest

TEMPLATE = "{{ value.text }}|{% for item in value.items %}{{ loop.index }}{{ item }}{% if not loop.last %}, {% endif %}{% endfor %}|{{ other }}"
#: What only the template engine can follow; it writes nothing.
ASSIGNMENT = "{% set by = 'the engine' %}"


class Text(str):
    """A subclass, as those of lxml and NumPy."""


@pytest.fixture
def prompts(own_environment: Path) -> list[promptops.Prompt]:
    """The same prompt twice; the second is for the template engine."""
    loaded = []
    (own_environment / "prompts").mkdir()
    for id, template in {"in-place": TEMPLATE, "by-engine": ASSIGNMENT + TEMPLATE}.items():
        text = f"id: {id}\nversion: 1\nowner: team\nmodel: m\ntags: []\ninputs: {{value: {{}}, other: {{default: none given}}}}\ntemplate: |-\n  {template}\n"
        (own_environment / "prompts" / f"{id}.yaml").write_text(text, encoding="utf-8")
        with pytest.warns(promptops.PromptOpsWarning):
            loaded.append(promptops.Loader(prompts=own_environment / "prompts").load_prompt(id))
    return loaded


def outcome(prompt: promptops.Prompt, values: dict[str, Any]) -> str:
    try:
        return prompt.render(**values)
    except Exception as error:  # noqa: BLE001 - whatever it is, both have to raise it
        return f"{type(error).__name__}: {error}".replace(prompt.id, "ID")


ITEM = {
    "text": "a", "empty": "", "subclass": Text("b"), "not ascii": "ü😀", "integer": 7, "negative": -1, "large": 2**70, "huge": 2**200,
    "float": 0.5, "whole float": 2.0, "nan": float("nan"), "true": True, "false": False, "none": None, "list": [1], "dict": {"a": 1},
    "half of a pair": "\ud800", "date": datetime.date(2026, 1, 2), "object": object(), "key that is no text": {1: 2}, "bytes": b"x",
}
VALUE = {
    **{f"item {name}": {"text": "t", "items": [item]} for name, item in ITEM.items()},
    **{f"unused {name}": {"text": "t", "items": [], "unused": item} for name, item in ITEM.items()},
    "tuple": {"text": "t", "items": (1, "two", None)},
    "no items": {"text": "t"},
    "no mapping": "t",
    "subclass of dict": collections.OrderedDict(text="t", items=[1]),
    "default dict": collections.defaultdict(list, text="t"),
    "mapping": types.MappingProxyType({"text": "t", "items": [1]}),
    "sequence": {"text": "t", "items": collections.deque([1])},
    "range": {"text": "t", "items": range(3)},
}


@pytest.mark.parametrize("value", VALUE.values(), ids=VALUE.keys())
def test_both_ways_agree(prompts: list[promptops.Prompt], value: Any) -> None:
    in_place, by_engine = (outcome(prompt, {"value": value}).replace("line 2", "line 1") for prompt in prompts)
    assert in_place == by_engine


@pytest.mark.parametrize("values", [{}, {"value": {"text": "t", "items": []}, "missing": 1}, {"value": {"text": "t", "items": []}, "other": None}])
def test_both_ways_agree_on_variables(prompts: list[promptops.Prompt], values: dict[str, Any]) -> None:
    in_place, by_engine = (outcome(prompt, values) for prompt in prompts)
    assert in_place == by_engine


def test_what_a_template_does_not_look_at_is_refused_all_the_same(prompts: list[promptops.Prompt]) -> None:
    for prompt in prompts:
        with pytest.raises(TypeError, match="not `date`"):
            prompt.render(value={"text": "t", "items": [], "unused": datetime.date(2026, 1, 2)})
        nested: list[Any] = []
        for _ in range(100):
            nested = [nested]
        with pytest.raises(RecursionError):
            prompt.render(value={"text": "t", "items": [], "unused": nested})
    assert prompts[0].render(value={"text": Text("t"), "items": ["é", 1, True]}) == "t|1é, 21, 3True|none given"
