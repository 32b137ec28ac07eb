"""Records invocations with the Python SDK, and writes the time of one as JSON into the file that is named."""

import json
import sys
from pathlib import Path

from promptops import load_prompt
from timing import nanoseconds_per_call

REPLY = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1_790_000_000, "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Your refund is on its way [1]."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 640, "completion_tokens": 12, "total_tokens": 652, "prompt_tokens_details": {"cached_tokens": 512}},
}


def main() -> None:
    prompt = load_prompt("bench.reply")

    def record() -> None:
        with prompt.invocation() as call:
            call.record(REPLY)

    Path(sys.argv[1]).write_text(json.dumps({"record_ns": nanoseconds_per_call(record)}), encoding="utf-8")


main()
