"""A provider on this machine: a server that answers the official clients with what a test says."""

from __future__ import annotations

import json
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Provider(ThreadingHTTPServer):
    """Answers each request with the next of `answers`, the last one again and again."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[Any] = []
        self.clients: list[Any] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def client(self, client: Any) -> Any:
        """Closes a client when the test is over."""
        self.clients.append(client)
        return client

    def answer(self, json_body: Any, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, {"content-type": "application/json", **named}, json.dumps(json_body).encode()))

    def answer_events(self, events: list[Any], *, named: bool = False, **headers: str) -> None:
        """Server-sent events, named by their type as Anthropic and OpenAI's responses have them, or with OpenAI's end."""
        lines = [(f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n" for event in events]
        text = "".join(lines) + ("" if named else "data: [DONE]\n\n")
        self.answers.append((200, {"content-type": "text/event-stream", **named_headers(headers)}, text.encode()))

    def answer_aws_events(self, events: list[dict[str, Any]], **headers: str) -> None:
        """Events in AWS's own binary form."""
        body = b"".join(aws_event(name, about) for event in events for name, about in event.items())
        kind = {"content-type": "application/vnd.amazon.eventstream"}
        self.answers.append((200, {**kind, **named_headers(headers)}, body))


def named_headers(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


class Handler(BaseHTTPRequestHandler):
    server: Provider
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.reply()

    def do_GET(self) -> None:
        self.reply()

    def reply(self) -> None:
        answers = self.server.answers
        status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def aws_event(name: str, about: dict[str, Any]) -> bytes:
    """One message of `application/vnd.amazon.eventstream`: lengths, headers and payload, each with its CRC 32."""
    is_exception = name.endswith("Exception")
    kind = "exception" if is_exception else "event"
    headers = b""
    for header, value in {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}.items():
        headers += bytes([len(header)]) + header.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    payload = json.dumps(about).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


@contextmanager
def provider() -> Iterator[Provider]:
    server = Provider()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        for client in server.clients:
            client.close()
        server.shutdown()
        thread.join()
        server.server_close()
