"""Writes digests.json: YAML texts of prompts with the content and the digest (G1) that every implementation must give.

Run `python3 spec/vectors/digests.py` after a change here. Nothing of the code under test takes part: the contents are written
out by hand below, and their canonical JSON (RFC 8785) is made with the standard library. That holds for what stands here: keys
are sorted by their UTF-16 units, and every number is whole or one that Python and ECMAScript write alike.

Cases with the same `content` have the same digest, however they are written.
"""

import hashlib
import json
from pathlib import Path

HERE = Path(__file__).parent
HEAD = "id: a.b\nversion: 1\nowner: team\nmodel: m-2026-01-01\ntags: []\n"


def canonical(value):
    if isinstance(value, dict):
        pairs = sorted(value.items(), key=lambda pair: pair[0].encode("utf-16-be"))
        return "{" + ",".join(canonical(key) + ":" + canonical(item) for key, item in pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def case(name, text, includes=None, **content):
    content = {"model": "m-2026-01-01", **content}
    if includes:
        content["includes"] = includes
    text_of_content = canonical(content)
    return {
        "name": name,
        "text": text,
        "includes": includes or {},
        "content": text_of_content,
        "digest": "sha256:" + hashlib.sha256(text_of_content.encode()).hexdigest(),
    }


def cases():
    yield case("a text in quotes", HEAD + 'template: "Hi {{ name }}\\n"\ninputs: {name: {type: string}}\n',
               template="Hi {{ name }}\n", inputs={"name": {"type": "string"}})
    yield case("the same as a block, with other metadata and another order of keys",
               "tags: [x]\ninputs:\n  name:\n    type: string\ntemplate: |\n  Hi {{ name }}\nmodel: m-2026-01-01\nowner: other\n"
               "purpose: greet\nversion: 7\nparent: 6\nid: c\nmetrics: {accuracy: 0.5}\ncreated: 2026-01-01\n",
               template="Hi {{ name }}\n", inputs={"name": {"type": "string"}})
    yield case("the same with the line ends of Windows",
               (HEAD + "inputs: {name: {type: string}}\ntemplate: |\n  Hi {{ name }}\n").replace("\n", "\r\n"),
               template="Hi {{ name }}\n", inputs={"name": {"type": "string"}})
    yield case("the same after a byte order mark", "\ufeff" + HEAD + "inputs: {name: {type: string}}\ntemplate: |\n  Hi {{ name }}\n",
               template="Hi {{ name }}\n", inputs={"name": {"type": "string"}})
    yield case("a block without its last newline is another text", HEAD + "template: |-\n  Hi {{ name }}\ninputs: {name: {type: string}}\n",
               template="Hi {{ name }}", inputs={"name": {"type": "string"}})
    yield case("a folded text is one line", HEAD + "template: >\n  one\n  two\n\n  three\n", template="one two\nthree\n")
    yield case("white space is kept", HEAD + 'template: "  a\\t\\n\\n"\n', template="  a\t\n\n")
    yield case("numbers have one form", HEAD + "template: x\nparameters: {a: 1.0, b: 0x10, c: +2, d: 1e3, e: -0.0, f: 0.25, g: 0o17}\n",
               template="x", parameters={"a": 1, "b": 16, "c": 2, "d": 1000, "e": 0, "f": 0.25, "g": 15})
    yield case("texts that look like something else", HEAD + "template: x\nparameters: {a: yes, b: 2026-04-15, c: '1', d: 1.2.3, e: !!str 5}\n",
               template="x", parameters={"a": "yes", "b": "2026-04-15", "c": "1", "d": "1.2.3", "e": "5"})
    yield case("null, truth values and lists", HEAD + "template: x\nparameters: {a: ~, b: true, c: [], d: {}, e: [1, [null]]}\n",
               template="x", parameters={"a": None, "b": True, "c": [], "d": {}, "e": [1, [None]]})
    yield case("empty parameters and inputs do not appear", HEAD + "template: x\nparameters: {}\ninputs: {}\n", template="x")
    yield case("a schema with nothing said is the empty one", HEAD + "template: '{{ a }}'\ninputs: {a: }\noutput:\n",
               template="{{ a }}", inputs={"a": {}}, output={})
    yield case("messages, with an alias", HEAD + "messages:\n- {role: system, content: &c Be brief.}\n- role: user\n  content: *c\n",
               messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Be brief."}])
    yield case("output and tools", HEAD + "template: x\noutput: {enum: [b, a]}\ntools: [{name: f, input_schema: {type: object}}]\n",
               template="x", output={"enum": ["b", "a"]}, tools=[{"name": "f", "input_schema": {"type": "object"}}])
    yield case("keys are sorted by UTF-16 units, and letters stay as they are",
               HEAD + 'template: "Grüße 日本 \\u2028 👋"\nparameters: {"\U0001f600": 1, "\ufb33": 2, "é": 3, "e\u0301": 4}\n',
               template="Grüße 日本 \u2028 👋", parameters={"\U0001f600": 1, "\ufb33": 2, "é": 3, "e\u0301": 4})
    tone = case("an included prompt", HEAD + "template: Be kind.\n", template="Be kind.")
    yield tone
    yield case("includes enter by their digests", HEAD + "template: '{% include \"shared.tone@3\" %}'\n",
               template='{% include "shared.tone@3" %}', includes={"shared.tone@3": tone["digest"]})


if __name__ == "__main__":
    text = json.dumps({"format": 1, "cases": list(cases())}, indent=1, ensure_ascii=False) + "\n"
    (HERE / "digests.json").write_text(text, encoding="utf-8")
