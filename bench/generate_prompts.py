"""Writes a folder of prompts like those of a large company, the same ones for the same seed.

    python bench/generate_prompts.py --count 10000 --out FOLDER [--seed 1]

One file per prompt under FOLDER/prompts, 0.5 to 4 KB each, and FOLDER/owners.yaml. A file has all that a governed prompt
carries: owner, model, purpose, tags, declared inputs, metrics, dates, and a template with variables, sometimes a loop, a
condition or a pinned include.
Nothing outside the standard library is needed.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

TEAMS = ["accounts", "analytics", "billing", "claims", "content", "fraud", "hiring", "legal", "logistics", "marketing",
         "onboarding", "pricing", "returns", "sales", "support", "translation"]
TASKS = ["answer", "classify", "compare", "draft", "explain", "extract", "filter", "grade", "match", "outline", "plan",
         "rank", "redact", "rewrite", "route", "score", "screen", "summarise", "tag", "verify"]
SUBJECTS = ["address", "agreement", "appeal", "application", "article", "booking", "calendar", "campaign", "candidate",
            "case", "catalogue", "chat", "checkout", "clause", "complaint", "contract", "coupon", "delivery", "deposit",
            "dispute", "email", "estimate", "event", "expense", "feedback", "forecast", "incident", "interview",
            "inventory", "invoice", "itinerary", "journal", "licence", "listing", "mandate", "meeting", "menu", "note",
            "offer", "order", "parcel", "payment", "permit", "photo", "policy", "product", "profile", "proposal",
            "question", "quote", "receipt", "recipe", "record", "refund", "reminder", "renewal", "repair", "report",
            "request", "reservation", "review", "salary", "sample", "schedule", "shipment", "statement", "subscription",
            "survey", "ticket", "transcript", "transfer", "translation", "visit", "voucher", "warranty", "workshop"]
QUALITIES = ["accurate", "brief", "calm", "careful", "clear", "complete", "consistent", "current", "direct", "exact",
             "fair", "formal", "friendly", "honest", "local", "modest", "neutral", "patient", "plain", "polite",
             "precise", "recent", "relevant", "simple", "specific", "steady", "timely", "useful", "verified", "warm"]
ACTIONS = ["acknowledge", "ask about", "check", "cite", "collect", "compare", "confirm", "copy", "correct", "count",
           "describe", "estimate", "explain", "find", "forward", "group", "highlight", "ignore", "keep", "label", "list",
           "mention", "name", "note", "order", "point to", "prefer", "quote", "read", "refuse", "repeat", "report",
           "return", "shorten", "sort", "state", "summarise", "translate", "trust", "weigh"]
PEOPLE = ["accountant", "adviser", "agent", "applicant", "author", "buyer", "carrier", "client", "colleague", "courier",
          "customer", "driver", "editor", "guest", "landlord", "manager", "member", "merchant", "neighbour", "nurse",
          "owner", "partner", "patient", "reader", "reviewer", "seller", "student", "supplier", "teacher", "tenant",
          "traveller", "visitor"]
TIMES = ["after the first reply", "at the end of the month", "before anything else", "during the trial", "every morning",
         "in the last quarter", "on the same day", "once the form is complete", "outside office hours",
         "when the line is long", "within two days", "while the account is open"]
SENTENCES = [
    "{Action} the {subject} that the {person} sent {time}, and {action} every {subject} that is not {quality}.",
    "If the {person} wants a {subject}, {action} the {quality} one and {action} the {subject} {time}.",
    "A {quality} {subject} is better than a {quality} {subject}; never {action} both.",
    "Do not {action} the {subject} of another {person}, even when the {person} says it is {quality}.",
    "{Action} at most {number} items from the {subject}, the most {quality} first.",
    "The {person} may {action} a {subject} {time}; the {person} may not.",
    "When you cannot {action} the {subject}, say so in one {quality} sentence and {action} the {subject} instead.",
    "Keep the answer {quality} and {quality}: about {number} words, unless the {subject} asks for more.",
    "Between two {quality} answers, take the one that the {person} can {action} {time}.",
    "{Action} dates, amounts and names in the {subject} exactly as the {person} wrote them.",
    "An {subject} older than {number} days counts as closed; {action} it only for the {person}.",
    "Every {subject} has a {person}: {action} the {quality} name, then {action} the rest.",
]
MODELS = ["claude-3-5-sonnet-20241022", "gpt-4.1-mini-2025-04-14", "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18",
          "mistral-large-2411"]
TAGS = ["batch", "chat", "classification", "drafting", "extraction", "finance", "german", "internal", "mobile", "pilot",
        "public", "ranking", "search", "summaries", "voice", "weekly"]
# Name and JSON Schema of the variables that templates use.
INPUTS = {
    "product": "{type: string}",
    "message": "{type: string}",
    "locale": "{type: string, default: en}",
    "person_name": "{type: string}",
    "today": "{type: string, format: date}",
    "documents": "{type: array, items: {type: object, properties: {title: {type: string}, text: {type: string}}}, default: []}",
}
SMALLEST, USUAL, LARGEST = 500, 1500, 3900
SMALLEST_BODY = 600  # below it templates would be the same but for their variables
SHARE_OF_SHARED = 50  # one in fifty prompts is a text that others include


def sentence(source: random.Random) -> str:
    """One sentence of ordinary words that says nothing."""
    words = Words(source)
    return source.choice(SENTENCES).format_map(words)


class Words(dict):
    """Fills each place of a sentence with another word."""

    def __init__(self, source: random.Random) -> None:
        super().__init__()
        self.source = source

    def __missing__(self, place: str) -> str:
        lists = {"subject": SUBJECTS, "quality": QUALITIES, "action": ACTIONS, "person": PEOPLE, "time": TIMES}
        if place == "number":
            return str(self.source.randint(2, 90))
        word = self.source.choice(lists[place.lower()])
        return word.capitalize() if place[0].isupper() else word


def body_lines(source: random.Random, size: int, shared: list[str]) -> Iterator[str]:
    """The lines of a template of about `size` bytes; every declared input is used."""
    written = 0
    opening = ["You help the {{ product }} team. Today is {{ today }}; answer in {{ locale }}."]
    if shared and source.random() < 0.2:
        opening.append('{% include "' + source.choice(shared) + '@1" %}')
    closing = ["{% for document in documents %}", "{{ loop.index }}. {{ document.title }}: {{ document.text }}",
               "{% endfor %}", "{{ person_name }} writes:", "{{ message }}"]
    for line in opening:
        written += len(line) + 3
        yield line
    while written < size - sum(len(line) + 3 for line in closing):
        chance = source.random()
        if chance < 0.06:
            line = "{% if locale == 'de' %}" + sentence(source) + "{% endif %}"
        elif chance < 0.2:
            line = "- " + sentence(source)
        elif chance < 0.26:
            line = ""
        else:
            line = sentence(source)
        written += len(line) + 3
        yield line
    yield from closing


def prompt_text(source: random.Random, name: str, owner: str, shared: list[str], first_versions: bool) -> str:
    """One prompt file."""
    is_shared = name.startswith("shared.")
    # Includes pin the first version of a shared text.
    version = 1 if is_shared or first_versions else source.choice([1, 1, 1, 2, 2, 3, 5, 8])
    size = int(source.triangular(SMALLEST, LARGEST, USUAL))
    head = [f"id: {name}", f"version: {version}"]
    if version > 1:
        head.append(f"parent: {version - 1}")
    month, day = source.randint(1, 9), source.randint(1, 28)
    head += [
        f"owner: {owner}",
        f"purpose: {source.choice(TASKS).capitalize()} each {source.choice(SUBJECTS)} of a {source.choice(PEOPLE)}",
        f"model: {source.choice(MODELS)}",
        f"parameters: {{temperature: {source.choice([0, 0.2, 0.7])}, max_tokens: {source.choice([64, 256, 1024])}}}",
        f"tags: [{', '.join(sorted(source.sample(TAGS, 3)))}]",
    ]
    if not is_shared:
        head += ["inputs:"] + [f"  {variable}: {schema}" for variable, schema in INPUTS.items()]
    head += [
        f"metrics: {{baseline_accuracy: {source.uniform(0.7, 0.99):.3f}, cost_per_call_usd: {source.uniform(0.0005, 0.02):.4f}}}",
        f"created: 2026-{month:02}-{day:02}",
        f"updated: 2026-{month + 1:02}-{day:02}",
        "template: |",
    ]
    used = sum(len(line) + 1 for line in head)
    if is_shared:
        lines = [sentence(source) for _ in range(source.randint(4, 8))]
    else:
        lines = list(body_lines(source, max(SMALLEST_BODY, size - used), shared))
    return "\n".join(head + [f"  {line}" if line else "" for line in lines]) + "\n"


def owners_text() -> str:
    """Who answers for the prompts: a team each, with one member."""
    people = [f"  {team}-lead: {{email: {team}-lead@example.com}}" for team in TEAMS]
    teams = [f"  {team}-team: {{members: [{team}-lead]}}" for team in TEAMS]
    return "\n".join(["people:", *people, "teams:", *teams]) + "\n"


def generate(out: Path, count: int, seed: int, first_versions: bool = False) -> tuple[int, int]:
    """Writes the prompts and returns how many there are and how many bytes they have together.

    With `first_versions` each is version 1, so that all can be published.
    """
    source = random.Random(seed)
    shared = [f"shared.{source.choice(QUALITIES)}-{number}" for number in range(count // SHARE_OF_SHARED)]
    names = list(shared)
    for number in range(count - len(shared)):
        names.append(f"{source.choice(TEAMS)}.{source.choice(TASKS)}-{source.choice(SUBJECTS)}-{number}")
    total = 0
    for name in names:
        first, _, rest = name.partition(".")
        owner = f"{source.choice(TEAMS) if first == 'shared' else first}-team"
        text = prompt_text(source, name, owner, shared, first_versions)
        file = out / "prompts" / first / f"{rest}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        total += len(text.encode())
    (out / "owners.yaml").write_text(owners_text(), encoding="utf-8")
    return len(names), total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    count, total = generate(options.out, options.count, options.seed)
    print(f"{count} prompts, {total} bytes, {total // max(1, count)} on average")


if __name__ == "__main__":
    main()
