"""A chat completions server on loopback that costs as little as it can: one process, one event loop, kept connections.

    python model_server.py PORT LATENCY_MS

It echoes the end of the last message. The latency is a timer, so that it bears any number of calls at the same time.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvloop

LATENCY = float(sys.argv[2]) / 1000


class Connection(asyncio.Protocol):
    """Reads requests with a length, one after the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.received = bytearray()

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.received[:end]).lower()
            _, found, rest = head.partition(b"\r\ncontent-length:")
            length = int(rest.split(b"\r\n")[0]) if found else 0
            if len(self.received) < end + 4 + length:
                return
            body = bytes(self.received[end + 4 : end + 4 + length])
            del self.received[: end + 4 + length]
            if head.startswith(b"get /processor"):
                self.send(json.dumps({"seconds": time.process_time()}).encode())
            elif LATENCY:
                asyncio.get_running_loop().call_later(LATENCY, self.answer, body)
            else:
                self.answer(body)

    def answer(self, body: bytes) -> None:
        request = json.loads(body)
        content = request["messages"][-1]["content"]
        text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
        usage = {"prompt_tokens": len(text) // 4, "completion_tokens": 25, "total_tokens": len(text) // 4 + 25}
        message = {"role": "assistant", "content": text[-200:]}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        answer = {"id": "c1", "object": "chat.completion", "created": 1764115200, "model": "mock", "choices": [choice], "usage": usage}
        self.send(json.dumps(answer).encode())

    def send(self, body: bytes) -> None:
        if not self.transport.is_closing():
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            self.transport.write(head + body)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
