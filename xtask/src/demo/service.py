"""The support desk's service: routes each message with the pinned prompt, and records every call."""

import json
import sys
import urllib.request

from promptops import load_prompt

MESSAGES = [
    "I was charged twice for March and would like one payment back.",
    "The calendar stays empty since this morning's update.",
    "What would thirty more seats cost us next year?",
    "We are moving to another tool, please close our account.",
    "Thank you, your colleague was a great help!",
    "The app crashes whenever I open an invoice.",
    "Our accountant needs the VAT number on last year's receipts.",
    "It is too expensive for us now; how do we cancel?",
]


def complete(url, prompt, messages):
    """One call of a chat completion endpoint, without an SDK."""
    body = {"model": prompt.model, "messages": messages, **prompt.parameters}
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


prompt = load_prompt("customer-support.intent-classifier")  # the version that promptops.lock pins
print(f"{prompt.id}@{prompt.version}  {prompt.digest}")
for message in MESSAGES:
    with prompt.invocation() as call:
        reply = complete(sys.argv[1], prompt, prompt.messages(message=message))
        call.record(reply)
    print(f"{reply['choices'][0]['message']['content']:<10} {message}")
