"""Serves the replies that the vendors recorded from their own APIs, and prints what their clients read out of them.

The source distributions of `openai` and `anthropic` hold such recordings, as their tests need them; nothing of them is kept here. The one
argument is a folder for the two files, which pip fetches when they are not there. The first line of the output is a port; then comes
a line for each reply, of which number N is served below `/N`. Ends when its input does.
"""

import ast
import json
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from readings import READINGS


class Recorded(NamedTuple):
    source: str
    api: str
    is_stream: bool
    body: str


def files(package: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Every text file among the tests of a package of the installed version."""
    name = f"{package}-{version(package)}"
    archive = folder / f"{name}.tar.gz"
    if not archive.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
        subprocess.run([*pip, f"{package}=={version(package)}"], check=True, stdout=sys.stderr)
    with tarfile.open(archive) as content:
        for member in content:
            inside = member.name.removeprefix(f"{name}/")
            if member.isfile() and inside.startswith("tests/") and inside.endswith((".json", ".py", ".sse", ".txt")):
                yield inside, content.extractfile(member).read().decode("utf-8", errors="replace")


def of_anthropic(folder: Path) -> Iterator[Recorded]:
    for path, text in files("anthropic", folder):
        if "__inline_snapshot__" in path and path.endswith(".json"):
            for number, exchange in enumerate(json.loads(text)):
                body = exchange["response"]["body"]
                if exchange["request"]["url"].partition("?")[0].endswith("/v1/messages") and exchange["response"]["status_code"] == 200:
                    is_stream = isinstance(body, str)
                    yield Recorded(f"{path}#{number}", "anthropic", is_stream, body if is_stream else json.dumps(body))
        elif path.endswith((".sse", "_response.txt")) and "message_start" in text:
            yield Recorded(path, "anthropic", True, text)


def of_openai(folder: Path) -> Iterator[Recorded]:
    for path, text in files("openai", folder):
        if not path.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(text)):
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip().startswith("{")):
                continue
            try:
                reply = json.loads(node.value)
            except ValueError:
                continue
            api = {"chat.completion": "openai-chat", "response": "openai-responses"}.get(reply.get("object"))
            if api and reply.get("usage"):
                yield Recorded(f"{path}:{node.lineno}", api, False, node.value)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    replies = [*of_anthropic(folder), *of_openai(folder)]

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            reply = replies[int(self.path.split("/")[1])]
            body = reply.body.encode()
            self.send_response(200)
            self.send_header("content-type", "text/event-stream; charset=utf-8" if reply.is_stream else "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    print(port, flush=True)
    for number, reply in enumerate(replies):
        line = {"source": reply.source, "api": reply.api, "stream": reply.is_stream, "body": reply.body}
        try:
            line["read"] = READINGS[reply.api](f"http://127.0.0.1:{port}/{number}", "text", reply.is_stream)
        except Exception as error:  # noqa: BLE001 - what the vendor's own client does not read is told, and bounded by whoever asks
            line["unread"] = f"{type(error).__name__}: {error}"
        print(json.dumps(line), flush=True)
    print("end", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
