"""Writes load.json, render.json, reply.json and stream.json: the cases that every loader SDK must pass.

Run `python3 spec/vectors/generate.py` after a change here. Digests are computed by this script and by nothing of the
code under test: canonical JSON (RFC 8785) of these values is Python's own JSON with sorted keys, since they hold no
numbers that the two would write differently.

load.json: a registry, a lock and a folder of prompts, as texts by path. A test writes them below a folder of its own:

    registry/<key>           the registry; a case's `registry` replaces texts, or deletes them where it is null
    promptops.lock           the lock, whose registry is `file://registry`
    app.bundle               ZIP, stored: bundle.json (the lock without its prompts), pins/<shard>.json (the lock's prompts by the
                             first two digits of the SHA-256 of the id), records/<id>/<version>.json, blobs/sha256/<hex>
    prompts/<path>           the folder

and loads with `source` as the only source. `expect` holds either `prompt` or `error` (the code, a part of the message,
a part of the hint), and `warnings`, the number of them.

render.json: prompts as files of a folder, and values. `expect` holds `messages`, and `text` where there is one message;
or `error`, a part of the message.

reply.json: replies of providers, the output schema of the prompt, and the members that the invocation record then has
(null: absent).

stream.json: replies that come in events, of the same form, with `events` in place of `reply`, and with `head`, what is known
beside the events. `first_token` is the number of the event that holds the first token (null: none does), `types` where
the shapes come from: the type of an official package that each event is one of.
"""

import hashlib
import json
from pathlib import Path

HERE = Path(__file__).parent


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class Registry:
    def __init__(self):
        self.objects = {"format.json": '{"format":1}'}
        self.pins = {}

    def publish(self, id, version, content, metadata, parent=None):
        text = canonical(content)
        content_digest = digest(text)
        self.objects[f"blobs/sha256/{content_digest[7:]}"] = text
        record = {
            "format": 1,
            "id": id,
            "version": version,
            "parent": parent,
            "digest": content_digest,
            "digests": {"behaviour": content_digest},
            "metadata": metadata,
            "provenance": {"source": "spec/vectors"},
            "published": "2026-05-01T12:00:00Z",
        }
        text = canonical(record)
        self.objects[f"prompts/{id}/{version:010}.json"] = text
        return {"version": version, "digest": content_digest, "record": digest(text)}

    def pin(self, id, pin):
        self.pins[id] = pin


def load_vectors():
    registry = Registry()
    tone = {"model": "claude-3-5-sonnet", "template": "Be kind and brief.\n"}
    tone_meta = {"owner": "brand-team", "tags": ["shared"]}
    tone_pin = registry.publish("shared.tone", 3, tone, tone_meta, "shared.tone@2")
    registry.pin("shared.tone", tone_pin)
    schema = {"enum": ["billing", "technical"]}
    first = {
        "model": "claude-3-5-sonnet",
        "inputs": {"message": {"type": "string"}},
        "output": schema,
        "template": "Classify: {{ message }}",
    }
    meta = {"owner": "data-platform-team", "tags": ["classification", "customer-support"]}
    registry.publish("customer-support.intent-classifier", 1, first, meta)
    second = {
        "model": "claude-3-5-sonnet",
        "parameters": {"temperature": 0, "max_tokens": 16},
        "inputs": {"message": {"type": "string"}},
        "output": schema,
        "messages": [
            {"role": "system", "content": "{% include \"shared.tone@3\" %}Classify as billing or technical."},
            {"role": "user", "content": "{{ message }}"},
        ],
        "includes": {"shared.tone@3": tone_pin["digest"]},
    }
    meta = {
        **meta,
        "purpose": "Route a support message to a team",
        "metrics": {"baseline_accuracy": 0.94},
        "created": "2026-04-15",
        "updated": "2026-05-01",
    }
    pin = registry.publish(
        "customer-support.intent-classifier", 2, second, meta, "customer-support.intent-classifier@1"
    )
    registry.pin("customer-support.intent-classifier", pin)
    summary = {"model": "gpt-5.2", "messages": [{"role": "user", "content": "Fasse zusammen: ärgerlich"}]}
    summary_pin = registry.publish("zusammenfassung", 1, summary, {"owner": "o", "tags": []})
    registry.pin("zusammenfassung", summary_pin)

    intent_key = "prompts/customer-support.intent-classifier/0000000002.json"
    intent_blob = f"blobs/sha256/{pin['digest'][7:]}"
    tone_blob = f"blobs/sha256/{tone_pin['digest'][7:]}"
    intent = {
        "id": "customer-support.intent-classifier",
        "version": 2,
        "parent": "customer-support.intent-classifier@1",
        "owner": "data-platform-team",
        "purpose": "Route a support message to a team",
        "model": "claude-3-5-sonnet",
        "parameters": {"temperature": 0, "max_tokens": 16},
        "tags": ["classification", "customer-support"],
        "template": None,
        "digest": pin["digest"],
    }
    tone_prompt = {
        "id": "shared.tone",
        "version": 3,
        "owner": "brand-team",
        "model": "claude-3-5-sonnet",
        "tags": ["shared"],
        "template": "Be kind and brief.\n",
        "digest": tone_pin["digest"],
    }
    old = {"version": 1, "template": "Classify: {{ message }}", "parent": None, "purpose": None}
    playbook = (HERE / "playbook-intent-classifier.yaml").read_text()
    prompts = {
        "customer-support/intent-classifier.yaml": playbook,
        "customer-support/reply.yaml": "id: customer-support.reply\nversion: 1\nowner: o\nmodel: m\ntags: []\n"
        'template: "{% include \\"shared.tone@3\\" %}Answer."\n',
        "shared/tone.yaml": "id: shared.tone\nversion: 3\nparent: 2\nowner: brand-team\n"
        "model: claude-3-5-sonnet\ntags: [shared]\ntemplate: |\n  Be kind and brief.\n",
        "misplaced.yaml": "id: placed\nversion: 1\nowner: o\nmodel: m\ntags: []\ntemplate: x\n",
        "broken.yaml": "id: broken\nversion: one\nmodel: m\ntags: []\ntemplate: x\n",
        "loop.yaml": "id: loop\nversion: 1\nowner: o\nmodel: m\ntags: []\n"
        "template: '{% include \"loop@1\" %}'\n",
        "lost.yaml": "id: lost\nversion: 1\nowner: o\nmodel: m\ntags: []\n"
        "template: '{% include \"shared.tone@4\" %}'\n",
    }
    reply_content = {
        "model": "m",
        "template": '{% include "shared.tone@3" %}Answer.',
        "includes": {"shared.tone@3": tone_pin["digest"]},
    }
    id = "customer-support.intent-classifier"

    def case(name, source, load, expect, strict=None, registry=None):
        one = {"name": name, "source": source, "load": load, "expect": expect}
        if strict is not None:
            one["strict"] = strict
        if registry is not None:
            one["registry"] = registry
        return one

    def ok(prompt, warnings=0):
        return {"prompt": prompt, "warnings": warnings}

    def error(code, message="", hint="", warnings=0):
        return {"error": {"code": code, "message": message, "hint": hint}, "warnings": warnings}

    cases = []
    for source in ["lock", "bundle"]:
        cases += [
            case(f"{source}: the pinned version", source, {"id": id}, ok(intent)),
            case(f"{source}: the pinned version by its number", source, {"id": id, "version": 2}, ok(intent)),
            case(f"{source}: a template", source, {"id": "shared.tone"}, ok(tone_prompt)),
            case(
                f"{source}: one message is the template",
                source,
                {"id": "zusammenfassung"},
                ok({"template": "Fasse zusammen: ärgerlich", "tags": [], "digest": summary_pin["digest"]}),
            ),
            case(
                f"{source}: a version that is not pinned",
                source,
                {"id": id, "version": 1},
                error("not-pinned", "version 1 of prompt `customer-support.intent-classifier` is not the pinned version 2", "promptops lock"),
            ),
            case(
                f"{source}: a typing error",
                source,
                {"id": "customer-support.intent-clasifier"},
                error("not-found", "has no prompt `customer-support.intent-clasifier`", "did you mean `customer-support.intent-classifier`?"),
            ),
            case(f"{source}: nothing like it", source, {"id": "weather"}, error("not-found", "", "promptops lock")),
            case(f"{source}: no id", source, {"id": "Customer Support"}, error("invalid-name", "`Customer Support`")),
            case(f"{source}: no version", source, {"id": id, "version": 0}, error("invalid-name", "a version is a whole number from 1")),
            case(
                f"{source}: a changed record",
                source,
                {"id": id},
                error("integrity", "not the pinned `" + pin["record"] + "`", "find out what changed it"),
                registry={intent_key: registry.objects[intent_key].replace("data-platform-team", "mallory")},
            ),
            case(
                f"{source}: a changed content",
                source,
                {"id": id},
                error("integrity", "not the pinned `" + pin["digest"] + "`"),
                registry={intent_blob: registry.objects[intent_blob].replace("billing", "Billing")},
            ),
            case(
                f"{source}: a changed include",
                source,
                {"id": id},
                error("integrity", "not the pinned `" + tone_pin["digest"] + "`"),
                registry={tone_blob: registry.objects[tone_blob].replace("kind", "rude")},
            ),
            case(
                f"{source}: a lost content",
                source,
                {"id": id},
                error("missing", "lacks `" + intent_blob + "`"),
                registry={intent_blob: None},
            ),
            case(
                f"{source}: a lost record",
                source,
                {"id": id},
                error("missing", f"{id}/"),
                registry={intent_key: None},
            ),
        ]
    cases += [
        case("lock, lenient: another version", "lock", {"id": id, "version": 1}, ok(old, 1), strict=False),
        case("lock, lenient: the pin needs no warning", "lock", {"id": id}, ok(intent), strict=False),
        case("lock, lenient: no such version", "lock", {"id": id, "version": 9}, error("not-found", "version 9"), strict=False),
        case(
            "lock, lenient: a record that belongs elsewhere",
            "lock",
            {"id": id, "version": 1},
            error("corrupt", "not of `customer-support.intent-classifier@1`", warnings=1),
            strict=False,
            registry={intent_key.replace("2.json", "1.json"): registry.objects[intent_key]},
        ),
        case(
            "lock, lenient: a record of a later format",
            "lock",
            {"id": id, "version": 1},
            error("corrupt", "format `2`", warnings=1),
            strict=False,
            registry={
                intent_key.replace("2.json", "1.json"): registry.objects[
                    intent_key.replace("2.json", "1.json")
                ].replace('"format":1', '"format":2')
            },
        ),
        case("bundle, lenient: nothing but pins", "bundle", {"id": id, "version": 1}, error("not-pinned"), strict=False),
        case("registry: a version", "registry", {"id": id, "version": 2}, ok(intent, 1)),
        case("registry: no version", "registry", {"id": id}, error("not-pinned", "no version of prompt", "promptops lock")),
        case("registry, strict: a version", "registry", {"id": id, "version": 2}, error("not-pinned"), strict=True),
        case(
            "folder: the playbook's own example",
            "folder",
            {"id": id},
            ok(
                {
                    "id": id,
                    "version": 2,
                    "owner": "data-platform-team",
                    "model": "claude-3-5-sonnet",
                    "tags": ["classification", "customer-support"],
                    "parent": "customer-support.intent-classifier@1",
                    "template": "You are a customer support intent classifier. Given the user\n"
                    "message and the previous conversation context, classify the\n"
                    "intent into one of: billing, technical, sales, retention, other.\n",
                },
                1,
            ),
        ),
        case("folder: the file's version", "folder", {"id": "shared.tone", "version": 3}, ok(tone_prompt, 1)),
        case(
            "folder: includes have the digest they are published with",
            "folder",
            {"id": "customer-support.reply"},
            ok({"digest": digest(canonical(reply_content))}, 1),
        ),
        case("folder: another version", "folder", {"id": "shared.tone", "version": 2}, error("not-found", "the folder has version 3 and not 2", warnings=1)),
        case("folder, strict", "folder", {"id": "shared.tone"}, error("not-pinned"), strict=True),
        case("folder: a typing error", "folder", {"id": "shared.tones"}, error("not-found", "", "did you mean `shared.tone`?", 1)),
        case("folder: a forgotten folder", "folder", {"id": "tone"}, error("not-found", "", "did you mean `shared.tone`?", 1)),
        case("folder: an id that is a path", "folder", {"id": "../prompts/loop"}, error("invalid-name")),
        case("folder: a file with another id", "folder", {"id": "misplaced"}, error("invalid-prompt", "its id is `placed`", warnings=1)),
        case("folder: problems of the file", "folder", {"id": "broken"}, error("invalid-prompt", "broken.yaml", "promptops check", 1)),
        case("folder: a prompt that includes itself", "folder", {"id": "loop"}, error("invalid-prompt", "includes itself", warnings=1)),
        case("folder: an include of another version", "folder", {"id": "lost"}, error("invalid-prompt", "the folder has version 3", warnings=1)),
    ]
    lock = {
        "format": 1,
        "registry": "file://registry",
        "release": {"environment": "prod", "sequence": 7},
        "prompts": registry.pins,
    }
    return {"registry": registry.objects, "lock": lock, "prompts": prompts, "cases": cases}


def render_vectors():
    head = "version: 1\nowner: o\nmodel: m\ntags: []\n"

    def prompt(id, rest):
        return f"id: {id}\n{head}{rest}"

    prompts = {
        "greeting.yaml": prompt("greeting", "inputs: {name: {type: string}, formal: {type: boolean, default: false}}\n"
                                'template: "{% if formal %}Dear{% else %}Hi{% endif %} {{ name }}\\n"\n'),
        "history.yaml": prompt(
            "history",
            "inputs:\n  turns: {type: array}\n  limit: {type: integer, default: 2}\n"
            "template: |\n  {%- for turn in turns[:limit] %}\n  {{ loop.index }}. {{ turn.role }}: {{ turn.text | upper }}\n  {%- endfor %}\n",
        ),
        "chat.yaml": prompt(
            "chat",
            "inputs: {question: {type: string}}\nmessages:\n"
            "  - {role: system, content: 'Answer.'}\n  - {role: user, content: '{{ question }}'}\n",
        ),
        "kinds.yaml": prompt("kinds", "inputs: {value: {}}\ntemplate: '{{ value }}'\n"),
        "choice.yaml": prompt("choice", "inputs: {tone: {enum: [kind, brief]}}\ntemplate: '{{ tone }}'\n"),
        "map.yaml": prompt(
            "map",
            "inputs: {facts: {type: object}}\n"
            "template: '{% for key, value in facts|items %}{{ key }}={{ value }};{% endfor %}'\n",
        ),
        "deep.yaml": prompt("deep", "inputs: {user: {}}\ntemplate: '{{ user.name.first }}'\n"),
    }

    def case(name, id, values, messages=None, error=None):
        expect = {"error": error} if error else {"messages": messages}
        if messages and len(messages) == 1:
            expect["text"] = messages[0]["content"]
        return {"name": name, "id": id, "values": values, "expect": expect}

    def user(text):
        return [{"role": "user", "content": text}]

    turns = [{"role": "user", "text": "où?"}, {"role": "assistant", "text": "here"}, {"role": "user", "text": "no"}]
    cases = [
        case("a default", "greeting", {"name": "Ada"}, user("Hi Ada\n")),
        case("a default replaced", "greeting", {"name": "Ada", "formal": True}, user("Dear Ada\n")),
        case("nothing is escaped", "greeting", {"name": "<b>&\"'"}, user("Hi <b>&\"'\n")),
        case("other scripts", "greeting", {"name": "Zoë 山 🙂\u0000"}, user("Hi Zoë 山 🙂\u0000\n")),
        case("no syntax in values", "greeting", {"name": "{{ formal }}{% if %}"}, user("Hi {{ formal }}{% if %}\n")),
        case("a loop", "history", {"turns": turns}, user("\n1. user: OÙ?\n2. assistant: HERE\n")),
        case("an empty loop", "history", {"turns": []}, user("\n")),
        case("messages", "chat", {"question": "Why?"},
             [{"role": "system", "content": "Answer."}, {"role": "user", "content": "Why?"}]),
        case("an integer", "kinds", {"value": 42}, user("42")),
        case("a large integer", "kinds", {"value": 9007199254740993}, user("9007199254740993")),
        case("a negative integer", "kinds", {"value": -7}, user("-7")),
        case("a fraction", "kinds", {"value": 0.1}, user("0.1")),
        case("a whole fraction", "kinds", {"value": 2.5e3}, user("2500.0")),
        case("a truth value", "kinds", {"value": True}, user("True")),
        case("null", "kinds", {"value": None}, user("None")),
        case("a list", "kinds", {"value": [1, "a", [None]]}, user("[1, 'a', [None]]")),
        case("keys come in order", "map", {"facts": {"b": 1, "a": [2], "c": "x"}}, user("a=[2];b=1;c=x;")),
        case("a missing variable", "greeting", {}, error="required variables are missing: `name`"),
        case("an undeclared variable", "greeting", {"name": "a", "nme": "b"}, error="not declared in `inputs`: `nme`"),
        case("a wrong type", "greeting", {"name": 3}, error="variable `name` must be string, got number"),
        case("a truth value is no integer", "history", {"turns": [], "limit": True}, error="variable `limit` must be integer"),
        case("a choice", "choice", {"tone": "kind"}, user("kind")),
        case("no choice", "choice", {"tone": "loud"}, error='variable `tone` must be one of "kind", "brief", got `loud`'),
        case("an undefined field", "deep", {"user": {}}, error="template, line 1"),
    ]
    return {"prompts": prompts, "cases": cases}


def reply_vectors():
    labels = {"enum": ["billing", "technical"]}
    chat = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1777636800, "model": "gpt-5.2-2026-02-01",
        "system_fingerprint": "fp_44709d6fcb", "service_tier": "default",
        "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None,
                     "message": {"role": "assistant", "content": " billing\n", "refusal": None}}],
        "usage": {"prompt_tokens": 120, "completion_tokens": 9, "total_tokens": 129,
                  "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
                  "completion_tokens_details": {"reasoning_tokens": 7}},
    }
    chat_facts = {
        "responded_model": "gpt-5.2-2026-02-01", "fingerprint": "fp_44709d6fcb", "finish_reason": "stop",
        "input_tokens": 120, "output_tokens": 9, "cached_tokens": 64, "reasoning_tokens": 7, "status": "ok",
        "refusal": False, "output_length": 9, "operation": "chat", "provider": None, "response_id": "chatcmpl-1",
        "service_tier": "default", "cache_write_tokens": None,
    }

    def choice(base, **changes):
        first = {**base["choices"][0], **changes}
        return {**base, "choices": [first]}

    responses = {
        "id": "resp_1", "object": "response", "status": "completed", "model": "gpt-5.2-2026-02-01",
        "error": None, "incomplete_details": None,
        "output": [
            {"id": "rs_1", "type": "reasoning", "summary": []},
            {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
             "content": [{"type": "output_text", "text": "tech", "annotations": []},
                         {"type": "output_text", "text": "nical", "annotations": []}]},
        ],
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "created_at": 1777636800,
        "usage": {"input_tokens": 40, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                  "output_tokens": 12, "output_tokens_details": {"reasoning_tokens": 10}, "total_tokens": 52},
    }
    anthropic = {
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6",
        "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "billing"}],
        "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 1000,
                  "output_tokens": 30, "output_tokens_details": {"thinking_tokens": 21}, "service_tier": "batch"},
    }
    bedrock = {
        "ResponseMetadata": {"RequestId": "7d1f", "HTTPStatusCode": 200, "RetryAttempts": 0},
        "output": {"message": {"role": "assistant", "content": [{"text": "refund"}]}},
        "stopReason": "max_tokens",
        "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 65, "cacheReadInputTokens": 50,
                  "cacheWriteInputTokens": 0},
        "metrics": {"latencyMs": 312}, "serviceTier": {"type": "flex"},
    }

    def case(name, reply, record, request_id=None, output=labels, known=True):
        return {"name": name, "output": output, "reply": reply, "known": known, "request_id": request_id, "record": record}

    none = ["responded_model", "fingerprint", "finish_reason", "input_tokens", "output_tokens", "cached_tokens",
            "reasoning_tokens", "label", "valid", "refusal", "output_length", "error_type", "operation", "provider", "response_id",
            "service_tier", "cache_write_tokens"]
    cases = [
        case("openai chat", chat, {**chat_facts, "label": "billing", "valid": True}, "chatcmpl-1"),
        case("openai chat without classes", chat, {**chat_facts, "label": None, "valid": None}, "chatcmpl-1", None),
        case("openai chat, another answer", choice(chat, message={"role": "assistant", "content": "Billing."}),
             {"label": None, "valid": False, "output_length": 8}, "chatcmpl-1"),
        case("openai chat, clipped", choice(chat, finish_reason="length"), {"finish_reason": "length"}, "chatcmpl-1"),
        case("openai chat, tools", choice(chat, finish_reason="tool_calls", message={
            "role": "assistant", "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}),
             {"finish_reason": "tool_calls", "label": None, "valid": None, "output_length": None, "refusal": False}, "chatcmpl-1"),
        case("openai chat, refusal", choice(chat, message={"role": "assistant", "content": None, "refusal": "I cannot."}),
             {"refusal": True, "valid": False, "label": None}, "chatcmpl-1"),
        case("a server that counts nothing", {"choices": [{"message": {"role": "assistant", "content": "technical"}}]},
             {"label": "technical", "valid": True, "input_tokens": None, "responded_model": None, "finish_reason": None}),
        case("openai responses", responses,
             {"responded_model": "gpt-5.2-2026-02-01", "label": "technical", "valid": True, "finish_reason": "stop",
              "input_tokens": 40, "output_tokens": 12, "cached_tokens": 0, "reasoning_tokens": 10,
              "output_length": 9, "refusal": False, "operation": "chat", "response_id": "resp_1", "cache_write_tokens": 0,
              "service_tier": None}, "resp_1"),
        case("openai responses, clipped",
             {**responses, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
             {"finish_reason": "length"}, "resp_1"),
        case("openai responses, refusal",
             {**responses, "output": [{"id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
                                       "content": [{"type": "refusal", "refusal": "No."}]}]},
             {"finish_reason": "refusal", "refusal": True, "valid": False, "output_length": None}, "resp_1"),
        case("openai responses, tools",
             {**responses, "output": [{"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f",
                                       "arguments": "{}", "status": "completed"}]},
             {"finish_reason": "tool_calls", "valid": None, "label": None}, "resp_1"),
        case("openai responses, failed",
             {**responses, "status": "failed", "output": [], "usage": None,
              "error": {"code": "rate_limit_exceeded", "message": "Slow down."}},
             {"status": "error", "error_type": "rate_limit", "valid": None, "finish_reason": "failed"}, "resp_1"),
        case("anthropic messages: input counts the cache", anthropic,
             {"responded_model": "claude-sonnet-4-6", "label": "billing", "valid": True, "finish_reason": "stop",
              "input_tokens": 1210, "output_tokens": 30, "cached_tokens": 1000, "reasoning_tokens": 21,
              "output_length": 7, "fingerprint": None, "operation": "chat", "response_id": "msg_01",
              "service_tier": "batch", "cache_write_tokens": 200}, "msg_01"),
        case("anthropic messages without a cache",
             {**anthropic, "usage": {"input_tokens": 10, "output_tokens": 3}},
             {"input_tokens": 10, "cached_tokens": None, "reasoning_tokens": None}, "msg_01"),
        case("anthropic messages, refusal", {**anthropic, "content": [], "stop_reason": "refusal"},
             {"finish_reason": "refusal", "refusal": True, "valid": False}, "msg_01"),
        case("anthropic messages, tools",
             {**anthropic, "stop_reason": "tool_use",
              "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
             {"finish_reason": "tool_calls", "valid": None}, "msg_01"),
        case("bedrock converse: input counts the cache", bedrock,
             {"responded_model": None, "label": None, "valid": False, "finish_reason": "length", "input_tokens": 60,
              "output_tokens": 5, "cached_tokens": 50, "reasoning_tokens": None, "output_length": 6, "operation": "chat",
              "provider": "aws.bedrock", "response_id": None, "service_tier": "flex", "cache_write_tokens": 0}, "7d1f"),
        case("bedrock converse, AWS's client for JavaScript",
             {"$metadata": {"httpStatusCode": 200, "requestId": "7d1f", "attempts": 1},
              **{name: value for name, value in bedrock.items() if name != "ResponseMetadata"}},
             {"finish_reason": "length", "input_tokens": 60, "output_tokens": 5, "output_length": 6}, "7d1f"),
        case("bedrock converse, guardrail", {**bedrock, "stopReason": "guardrail_intervened"},
             {"finish_reason": "content_filter"}, "7d1f"),
        case("bedrock converse through a router",
             {**bedrock, "trace": {"promptRouter": {"invokedModelId": "arn:aws:bedrock:eu-west-1::m"}}},
             {"responded_model": "arn:aws:bedrock:eu-west-1::m"}, "7d1f"),
        case("an unknown shape", {"answer": "billing"}, {name: None for name in none} | {"status": "ok"}, known=False),
        case("members of other types", {"choices": "none", "output": 3, "content": {}, "usage": []},
             {"status": "ok", "input_tokens": None}, known=False),
        case("numbers that are none", {**chat, "usage": {"prompt_tokens": "120", "completion_tokens": -1}},
             {"input_tokens": None, "output_tokens": None}, "chatcmpl-1"),
    ]
    return {"cases": cases}


def stream_vectors():
    labels = {"enum": ["billing", "technical"]}

    def case(name, types, events, record, first_token, request_id=None, head=None, known=True):
        return {"name": name, "types": types, "output": labels, "head": head or {}, "events": events, "known": known,
                "first_token": first_token, "request_id": request_id, "record": record}

    # OpenAI chat completions
    def chunk(delta=None, finish_reason=None, usage=None, **members):
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}]
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1777636800, "model": "gpt-5.2-2026-02-01",
                "system_fingerprint": "fp_44709d6fcb", "service_tier": "default", "choices": choices, "usage": usage, **members}

    chat_usage = {"prompt_tokens": 120, "completion_tokens": 9, "total_tokens": 129,
                  "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
                  "completion_tokens_details": {"reasoning_tokens": 7, "audio_tokens": 0,
                                                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}}
    chat = [
        chunk({"role": "assistant", "content": "", "refusal": None}), chunk({"content": " bil"}), chunk({"content": "ling"}),
        chunk({}, "stop"), chunk(usage=chat_usage),
    ]
    chat_facts = {"responded_model": "gpt-5.2-2026-02-01", "fingerprint": "fp_44709d6fcb", "finish_reason": "stop",
                  "input_tokens": 120, "output_tokens": 9, "cached_tokens": 64, "reasoning_tokens": 7, "status": "ok",
                  "refusal": False, "output_length": 8, "label": "billing", "valid": True, "operation": "chat",
                  "response_id": "chatcmpl-1", "service_tier": "default"}

    def tool_call(**function):
        return {"tool_calls": [{"index": 0, "function": function}]}

    second = {"index": 1, "delta": {"content": "technical"}, "finish_reason": None, "logprobs": None}

    # OpenAI responses
    def response(status, output, usage=None, **members):
        return {"id": "resp_1", "object": "response", "status": status, "model": "gpt-5.2-2026-02-01", "error": None,
                "incomplete_details": None, "instructions": None, "metadata": {}, "temperature": 0.0, "top_p": 1.0,
                "output": output, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
                "created_at": 1777636800.0, "usage": usage, **members}

    responses_usage = {"input_tokens": 40, "input_tokens_details": {"cached_tokens": 32, "cache_write_tokens": 0},
                       "output_tokens": 12, "output_tokens_details": {"reasoning_tokens": 10}, "total_tokens": 52}
    part = {"type": "output_text", "text": "technical", "annotations": [], "logprobs": []}
    message = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}

    def numbered(events):
        return [{**event, "sequence_number": number} for number, event in enumerate(events)]

    started = [
        {"type": "response.created", "response": response("in_progress", [])},
        {"type": "response.in_progress", "response": response("in_progress", [])},
        {"type": "response.output_item.added", "output_index": 0,
         "item": {**message, "status": "in_progress", "content": []}},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **place, "delta": "tech", "logprobs": []},
    ]
    responses = numbered([
        *started,
        {"type": "response.output_text.delta", **place, "delta": "nical", "logprobs": []},
        {"type": "response.output_text.done", **place, "text": "technical", "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.completed", "response": response("completed", [message], responses_usage)},
    ])
    failed = numbered([
        started[0],
        {"type": "response.failed",
         "response": response("failed", [], error={"code": "server_error", "message": "The model broke."})},
    ])

    # Anthropic messages
    def started_message(usage):
        return {"type": "message_start", "message": {
            "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": usage}}

    def said(index, block, *deltas):
        return [{"type": "content_block_start", "index": index, "content_block": block},
                *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
                {"type": "content_block_stop", "index": index}]

    def stopped(reason, **usage):
        return [{"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage},
                {"type": "message_stop"}]

    cached = {"input_tokens": 10, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 1000, "output_tokens": 1}
    anthropic = [
        started_message(cached),
        *said(0, {"type": "thinking", "thinking": "", "signature": ""}, {"type": "thinking_delta", "thinking": "hm"},
              {"type": "signature_delta", "signature": "s"}),
        *said(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "bill"}, {"type": "text_delta", "text": "ing"}),
        *stopped("end_turn", output_tokens=30, output_tokens_details={"thinking_tokens": 21}),
    ]

    # Bedrock converse
    bedrock = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "tech"}, "contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"text": "nical"}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 65, "cacheReadInputTokens": 50,
                                "cacheWriteInputTokens": 0}, "metrics": {"latencyMs": 312}}},
    ]
    bedrock_facts = {"responded_model": None, "label": "technical", "valid": True, "finish_reason": "stop",
                     "input_tokens": 60, "output_tokens": 5, "cached_tokens": 50, "output_length": 9}
    boto3_head = {"ResponseMetadata": {"RequestId": "7d1f", "HTTPStatusCode": 200, "RetryAttempts": 0}}

    chunks, events = "openai.types.chat.ChatCompletionChunk", "openai.types.responses.ResponseStreamEvent"
    messages, converse = "anthropic.types.RawMessageStreamEvent", "bedrock-runtime ConverseStreamOutput"
    partial = {"finish_reason": None, "label": None, "valid": None, "status": "ok"}
    cases = [
        case("openai chat", chunks, chat, chat_facts, 1, "chatcmpl-1"),
        case("openai chat, the id of the header", chunks, chat, {"status": "ok"}, 1, "req_1", {"_request_id": "req_1"}),
        case("openai chat, no usage was asked for", chunks, chat[:4],
             {**chat_facts, "input_tokens": None, "output_tokens": None, "cached_tokens": None, "reasoning_tokens": None},
             1, "chatcmpl-1"),
        case("openai chat, left early", chunks, chat[:2], {**partial, "output_length": 4, "refusal": False}, 1, "chatcmpl-1"),
        case("openai chat, tools", chunks, [
            chunk({"role": "assistant", "content": None, "tool_calls": [
                {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
            chunk(tool_call(arguments="{}")), chunk({}, "tool_calls"), chunk(usage=chat_usage)],
             {"finish_reason": "tool_calls", "label": None, "valid": None, "output_length": None, "output_tokens": 9},
             0, "chatcmpl-1"),
        case("openai chat, refusal", chunks, [chunk({"role": "assistant", "content": None, "refusal": "I can"}),
                                              chunk({"refusal": "not."}), chunk({}, "stop")],
             {"refusal": True, "valid": False, "label": None, "finish_reason": "stop"}, 0, "chatcmpl-1"),
        case("openai chat, of several answers the first", chunks,
             [chat[0], chunk({}, choices=[second]), *chat[1:]], {**chat_facts}, 2, "chatcmpl-1"),
        case("openai chat, Azure begins without a model", chunks,
             [{**chunk(), "id": "", "model": "", "system_fingerprint": None}, *chat], chat_facts, 2, "chatcmpl-1"),
        case("openai chat, a server that thinks aloud", None,
             [chunk({"role": "assistant", "content": None, "reasoning_content": "hm"}), *chat[1:]], chat_facts, 0, "chatcmpl-1"),
        case("openai chat, as the client's helper gives it", None,
             [{"type": "chunk", "chunk": chat[0], "snapshot": {}}, {"type": "chunk", "chunk": chat[1], "snapshot": {}},
              {"type": "content.delta", "delta": " bil", "snapshot": " bil"},
              *({"type": "chunk", "chunk": one, "snapshot": {}} for one in chat[2:])], chat_facts, 1, "chatcmpl-1"),
        case("openai responses", events, responses,
             {"responded_model": "gpt-5.2-2026-02-01", "label": "technical", "valid": True, "finish_reason": "stop",
              "input_tokens": 40, "output_tokens": 12, "cached_tokens": 32, "reasoning_tokens": 10, "output_length": 9,
              "refusal": False, "response_id": "resp_1", "cache_write_tokens": 0}, 4, "resp_1"),
        case("openai responses, left early", events, numbered(started),
             {**partial, "output_length": 4, "responded_model": "gpt-5.2-2026-02-01", "input_tokens": None}, 4, "resp_1"),
        case("openai responses, clipped", events, numbered([
            *started, {"type": "response.incomplete", "response": response(
                "incomplete", [{**message, "status": "incomplete", "content": [{**part, "text": "tech"}]}], responses_usage,
                incomplete_details={"reason": "max_output_tokens"})}]),
             {"finish_reason": "length", "valid": False, "output_length": 4, "output_tokens": 12}, 4, "resp_1"),
        case("openai responses, reasoning comes first", events, numbered([
            started[0],
            {"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 0,
             "delta": "hm"}, {"type": "response.completed", "response": response("completed", [message], responses_usage)}]),
             {"label": "technical", "finish_reason": "stop"}, 1, "resp_1"),
        case("openai responses, failed", events, failed,
             {"status": "error", "error_type": "server_error", "valid": None}, None, "resp_1"),
        case("openai responses, an error", events, numbered([
            started[0], {"type": "error", "code": "rate_limit_exceeded", "message": "Slow down.", "param": None}]),
             {"status": "error", "error_type": "rate_limit", "responded_model": "gpt-5.2-2026-02-01"}, None, "resp_1"),
        case("anthropic messages: input counts the cache", messages, anthropic,
             {"responded_model": "claude-sonnet-4-6", "label": "billing", "valid": True, "finish_reason": "stop",
              "input_tokens": 1210, "output_tokens": 30, "cached_tokens": 1000, "reasoning_tokens": 21, "output_length": 7,
              "status": "ok", "response_id": "msg_01", "cache_write_tokens": 200}, 2, "msg_01"),
        case("anthropic messages, counts of the end replace those of the start", messages,
             [started_message({"input_tokens": 10, "output_tokens": 1}),
              *said(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "x"}),
              *stopped("max_tokens", input_tokens=12, cache_read_input_tokens=3, output_tokens=16)],
             {"input_tokens": 15, "cached_tokens": 3, "output_tokens": 16, "finish_reason": "length", "valid": False}, 2, "msg_01"),
        case("anthropic messages, tools", messages,
             [started_message({"input_tokens": 10, "output_tokens": 1}),
              *said(0, {"type": "tool_use", "id": "t", "name": "f", "input": {}}, {"type": "input_json_delta", "partial_json": "{}"}),
              *stopped("tool_use", output_tokens=9)],
             {"finish_reason": "tool_calls", "valid": None, "output_length": None, "output_tokens": 9}, 2, "msg_01"),
        case("anthropic messages, refusal", messages,
             [started_message({"input_tokens": 10, "output_tokens": 1}), *stopped("refusal", output_tokens=2)],
             {"finish_reason": "refusal", "refusal": True, "valid": False}, None, "msg_01"),
        case("anthropic messages, left early", messages, anthropic[:7],
             {**partial, "output_length": 4, "input_tokens": 1210, "output_tokens": 1}, 2, "msg_01"),
        case("anthropic messages, as the client's helper gives it, and with the pings that clients leave out", None,
             [anthropic[0], {"type": "ping"}, *said(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "billing"})[:2],
              {"type": "text", "text": "billing", "snapshot": "billing"}, *stopped("end_turn", output_tokens=3)],
             {"label": "billing", "output_length": 7, "output_tokens": 3}, 3, "msg_01"),
        case("bedrock converse: input counts the cache", converse, bedrock, bedrock_facts, 1, "7d1f", boto3_head),
        case("bedrock converse, AWS's client for JavaScript", converse, bedrock, bedrock_facts, 1, "7d1f",
             {"$metadata": {"httpStatusCode": 200, "requestId": "7d1f", "attempts": 1}}),
        case("bedrock converse, reasoning and tools", converse, [
            bedrock[0],
            {"contentBlockDelta": {"delta": {"reasoningContent": {"text": "hm"}}, "contentBlockIndex": 0}},
            {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t", "name": "f"}}, "contentBlockIndex": 1}},
            {"contentBlockDelta": {"delta": {"toolUse": {"input": "{}"}}, "contentBlockIndex": 1}},
            {"messageStop": {"stopReason": "tool_use"}}, bedrock[5]],
             {"finish_reason": "tool_calls", "output_length": None, "valid": None, "output_tokens": 5}, 1, "7d1f", boto3_head),
        case("bedrock converse through a router", converse,
             [*bedrock[:5], {"metadata": {**bedrock[5]["metadata"], "trace": {
                 "promptRouter": {"invokedModelId": "arn:aws:bedrock:eu-west-1::m"}}}}],
             {"responded_model": "arn:aws:bedrock:eu-west-1::m"}, 1, "7d1f", boto3_head),
        case("bedrock converse, left early", converse, bedrock[:2],
             {**partial, "output_length": 4, "input_tokens": None}, 1, "7d1f", boto3_head),
        case("events of no known form", None, [None, 3, {}, {"answer": "billing"}],
             {"status": "ok", "finish_reason": None, "output_length": None, "valid": None}, None, known=False),
        case("no event at all", None, [], {"status": "ok", "output_length": None}, None, known=False),
        case("members of other types", None, [{"type": "message_start", "message": 3}, {"type": 3}, {"choices": {}},
                                              {"contentBlockDelta": "x"}, {"type": "content_block_delta", "delta": []}],
             {"status": "ok", "output_length": None, "input_tokens": None}, 4),
    ]
    return {"cases": cases}


for name, vectors in [
    ("load", load_vectors()), ("render", render_vectors()), ("reply", reply_vectors()), ("stream", stream_vectors()),
]:
    (HERE / f"{name}.json").write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")
