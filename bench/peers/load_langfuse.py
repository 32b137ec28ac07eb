"""Loads a prompt by name and version with Langfuse's SDK from its warm in-memory cache, and prints the time as JSON.

Its server needs several databases, so it is mocked on loopback with what the SDK asks for. The mock answers once; the
calls measured never leave the SDK's cache, so the figure is the SDK's own.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from timing import nanoseconds_per_call  # noqa: E402

TEMPLATE = Path(sys.argv[1]).read_text(encoding="utf-8")


class Mock(BaseHTTPRequestHandler):
    """Answers every request for a prompt with the same text."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({
            "id": "1", "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z", "projectId": "bench",
            "createdBy": "API", "name": "bench.reply", "version": 1, "type": "text", "isActive": None, "prompt": TEMPLATE,
            "config": {"model": "gpt-4o-2024-08-06"}, "labels": ["production"], "tags": ["bench"], "commitMessage": None,
            "resolutionGraph": None,
        }).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing: requests are not news."""


def main() -> None:
    os.environ["LANGFUSE_TRACING_ENABLED"] = "false"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mock)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    from langfuse import Langfuse

    client = Langfuse(public_key="pk-lf-bench", secret_key="sk-lf-bench", tracing_enabled=False,
                      host=f"http://127.0.0.1:{server.server_port}")
    load = lambda: client.get_prompt("bench.reply", version=1, cache_ttl_seconds=3600)  # noqa: E731
    assert load().prompt == TEMPLATE
    print(json.dumps({"load_ns": nanoseconds_per_call(load), "version": version("langfuse")}))
    # Its background threads outlive the client.
    sys.stdout.flush()
    os._exit(0)


main()
