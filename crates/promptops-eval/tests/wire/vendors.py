"""A server that stands for the vendors: it holds every request against what their own clients declare, checks the
signature where there is one, and answers with replies of the vendors' real shape. Prints its port.

Requests of a wrong form are answered with status 400 and what is wrong.
"""

import http.server
import json
import struct
import typing
import urllib.parse
import zlib

import pydantic
from anthropic._constants import ANTHROPIC_API_VERSION
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_create_params as responses

KEYS = Credentials("AKIDEXAMPLE", "secret", "token")
REGION = "us-east-1"
BEDROCK = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))


def declared(params, body):
    """Holds a body against a declaration of the vendor's client: no member too much, none too few, all of their types."""
    unknown = set(body) - set(typing.get_type_hints(params))
    if unknown:
        raise ValueError(f"unknown members {sorted(unknown)}")
    adapter = pydantic.TypeAdapter(params)
    # While the adapter lives, for what is checked only as it is read.
    consume(adapter.validate_python(body))


def consume(value):
    """Looks at every element: iterables are checked only as they are read."""
    if isinstance(value, dict):
        for member in value.values():
            consume(member)
    elif not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
        for element in value:
            consume(element)


def converse(path, body, headers):
    """Holds a request against Bedrock's service model and its signature against botocore's own."""
    _, _, model, operation = path.split("/")
    name = {"converse": "Converse", "converse-stream": "ConverseStream"}[operation]
    report = ParamValidator().validate(
        {**body, "modelId": urllib.parse.unquote(model)}, BEDROCK.operation_model(name).input_shape
    )
    if report.has_errors():
        raise ValueError(report.generate_report())
    signed = {"content-type": headers["content-type"]}
    request = AWSRequest("POST", f"http://{headers['host']}{path}", data=json.dumps(body).encode(), headers=signed)
    return request


def check_signature(request, raw, headers):
    class Auth(SigV4Auth):
        def _modify_request_before_signing(self, request):
            request.context["timestamp"] = headers["x-amz-date"]
            request.headers["X-Amz-Date"] = headers["x-amz-date"]
            request.headers["X-Amz-Security-Token"] = self.credentials.token

    auth = Auth(KEYS, "bedrock", REGION)
    request.data = raw
    request.context["timestamp"] = headers["x-amz-date"]
    auth._modify_request_before_signing(request)
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    if headers["x-amz-security-token"] != KEYS.token or f"Signature={signature}" not in headers["authorization"]:
        raise ValueError(f"the signature is not {signature}: {headers['authorization']}")


TOOL = {"name": "look_up", "arguments": {"order": 7, "fields": ["état"]}}
TEXT = "Ihre Rechnung: 12,50 €"
PIECES = ["Ihre ", "Rechnung: ", "12,50 €"]


def chat_reply(kind):
    message = {"role": "assistant", "content": TEXT, "refusal": None, "annotations": []}
    if kind == "tools":
        call = {"id": "call_1", "type": "function"}
        call["function"] = {"name": TOOL["name"], "arguments": json.dumps(TOOL["arguments"])}
        message = {"role": "assistant", "content": None, "refusal": None, "annotations": [], "tool_calls": [call]}
    if kind == "refusal":
        message = {"role": "assistant", "content": None, "refusal": "I cannot help with that.", "annotations": []}
    return {
        "id": "chatcmpl-C1",
        "object": "chat.completion",
        "created": 1764115200,
        "model": "gpt-5-mini-2025-08-07",
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if kind == "tools" else "stop"}
        ],
        "usage": chat_usage(),
        "service_tier": "default",
        "system_fingerprint": "fp_44709d6fcb",
    }


def chat_usage():
    return {
        "prompt_tokens": 1117,
        "completion_tokens": 46,
        "total_tokens": 1163,
        "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 33,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def chat_stream(kind):
    whole = chat_reply(kind)
    head = {name: whole[name] for name in ["id", "created", "model", "service_tier", "system_fingerprint"]}
    head["object"] = "chat.completion.chunk"
    message = whole["choices"][0]["message"]
    deltas = [{"role": "assistant", "content": "", "refusal": None}]
    if kind == "tools":
        call = message["tool_calls"][0]
        start = {"index": 0, "id": call["id"], "type": "function", "function": {"name": TOOL["name"], "arguments": ""}}
        deltas.append({"tool_calls": [start]})
        text = call["function"]["arguments"]
        for piece in [text[:5], text[5:]]:
            deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    elif kind == "refusal":
        deltas += [{"refusal": message["refusal"][:5]}, {"refusal": message["refusal"][5:]}]
    else:
        deltas += [{"content": piece} for piece in PIECES]
    choice = lambda delta, reason: [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
    chunks = [{**head, "choices": choice(delta, None), "usage": None} for delta in deltas]
    chunks.append({**head, "choices": choice({}, whole["choices"][0]["finish_reason"]), "usage": None})
    chunks.append({**head, "choices": [], "usage": chat_usage()})
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def response_reply(kind):
    output = [{"id": "rs_1", "type": "reasoning", "summary": []}]
    if kind == "tools":
        output.append(
            {
                "id": "fc_1",
                "type": "function_call",
                "status": "completed",
                "call_id": "call_1",
                "name": TOOL["name"],
                "arguments": json.dumps(TOOL["arguments"]),
            }
        )
    else:
        part = {"type": "output_text", "text": TEXT, "annotations": [], "logprobs": []}
        if kind == "refusal":
            part = {"type": "refusal", "refusal": "I cannot help with that."}
        output.append({"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]})
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1764115200,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": 64,
        "model": "gpt-5-mini-2025-08-07",
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": "low", "summary": None},
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 1117,
            "input_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 0},
            "output_tokens": 46,
            "output_tokens_details": {"reasoning_tokens": 33},
            "total_tokens": 1163,
        },
        "user": None,
        "metadata": {},
    }


def response_stream(kind):
    whole = response_reply(kind)
    started = {**whole, "status": "in_progress", "output": [], "usage": None}
    events = [{"type": "response.created", "response": started}, {"type": "response.in_progress", "response": started}]
    item = whole["output"][1]
    at = {"output_index": 1, "item_id": item["id"]}
    if kind == "tools":
        events.append({"type": "response.output_item.added", "output_index": 1, "item": {**item, "arguments": ""}})
        events.append({**at, "type": "response.function_call_arguments.delta", "delta": item["arguments"]})
        events.append({**at, "type": "response.function_call_arguments.done", "name": item["name"], "arguments": item["arguments"]})
    elif kind == "text":
        events.append({"type": "response.output_item.added", "output_index": 1, "item": {**item, "content": []}})
        part = {"type": "output_text", "text": "", "annotations": []}
        events.append({**at, "type": "response.content_part.added", "content_index": 0, "part": part})
        for piece in PIECES:
            events.append({**at, "type": "response.output_text.delta", "content_index": 0, "delta": piece, "logprobs": []})
        events.append({**at, "type": "response.output_text.done", "content_index": 0, "text": TEXT, "logprobs": []})
    events.append({"type": "response.output_item.done", "output_index": 1, "item": item})
    events.append({"type": "response.completed", "response": whole})
    numbered = [{**event, "sequence_number": number} for number, event in enumerate(events)]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in numbered)


def message_reply(kind):
    content = [{"type": "text", "text": TEXT}]
    if kind == "tools":
        content = [
            {"type": "text", "text": "One moment."},
            {"type": "tool_use", "id": "toolu_1", "name": TOOL["name"], "input": TOOL["arguments"]},
        ]
    if kind == "refusal":
        content = []
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5-20251001",
        "content": content,
        "stop_reason": {"text": "end_turn", "tools": "tool_use", "refusal": "refusal"}[kind],
        "stop_sequence": None,
        "usage": message_usage(),
    }


def message_usage():
    return {
        "input_tokens": 93,
        "cache_creation_input_tokens": 200,
        "cache_read_input_tokens": 824,
        "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 46,
        "service_tier": "standard",
    }


def message_stream(kind):
    whole = message_reply(kind)
    started = {**whole, "content": [], "stop_reason": None, "usage": {**message_usage(), "output_tokens": 2}}
    events = [{"type": "message_start", "message": started}]
    for index, block in enumerate(whole["content"]):
        text = block["type"] == "text"
        empty = {**block, "text": ""} if text else {**block, "input": {}}
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        events.append({"type": "ping"})
        if text:
            pieces = PIECES if block["text"] == TEXT else [block["text"]]
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
        else:
            arguments = json.dumps(block["input"])
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", arguments[:9], arguments[9:]]]
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 46}})
    events.append({"type": "message_stop"})
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


def converse_reply(kind):
    content = [{"text": TEXT}]
    if kind == "tools":
        tool = {"toolUseId": "tooluse_1", "name": TOOL["name"], "input": TOOL["arguments"]}
        content = [{"text": "One moment."}, {"toolUse": tool}]
    return {
        "metrics": {"latencyMs": 513},
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": {"text": "end_turn", "tools": "tool_use", "refusal": "guardrail_intervened"}[kind],
        "usage": converse_usage(),
    }


def converse_usage():
    return {
        "inputTokens": 93,
        "outputTokens": 46,
        "totalTokens": 1163,
        "cacheReadInputTokens": 824,
        "cacheWriteInputTokens": 200,
        "serverToolUsage": {},
    }


def converse_stream(kind):
    whole = converse_reply(kind)
    events = [("messageStart", {"p": "abcdefgh", "role": "assistant"})]
    for index, block in enumerate(whole["output"]["message"]["content"]):
        at = {"contentBlockIndex": index, "p": "abcd"}
        if "toolUse" in block:
            start = {"toolUse": {"name": TOOL["name"], "toolUseId": block["toolUse"]["toolUseId"]}}
            events.append(("contentBlockStart", {**at, "start": start}))
            arguments = json.dumps(block["toolUse"]["input"])
            for piece in [arguments[:9], arguments[9:]]:
                events.append(("contentBlockDelta", {**at, "delta": {"toolUse": {"input": piece}}}))
        else:
            for piece in PIECES if block["text"] == TEXT else [block["text"]]:
                events.append(("contentBlockDelta", {**at, "delta": {"text": piece}}))
        events.append(("contentBlockStop", at))
    events.append(("messageStop", {"p": "ab", "stopReason": whole["stopReason"]}))
    events.append(("metadata", {"metrics": {"latencyMs": 513}, "p": "abc", "usage": converse_usage()}))
    return b"".join(frame(name, data) for name, data in events)


def frame(name, data):
    """Writes one message of an event stream, whose checksums botocore verifies when it reads."""
    headers = b""
    for header, value in [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")]:
        headers += bytes([len(header)]) + header.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    payload = json.dumps(data).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


class Vendors(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["content-length"]))
        try:
            kind, body, media = self.reply(json.loads(raw), raw)
        except Exception as error:
            body, media, kind = json.dumps({"error": {"message": str(error)}}).encode(), "application/json", 400
        self.send_response(400 if kind == 400 else 200)
        self.send_header("content-type", media)
        self.send_header("content-length", str(len(body)))
        names = {"/v1/messages": "request-id", "/model": "x-amzn-RequestId"}
        self.send_header(next((name for path, name in names.items() if self.path.startswith(path)), "x-request-id"), "req_1")
        self.end_headers()
        self.wfile.write(body)

    def reply(self, body, raw):
        path = self.path
        is_stream = body.get("stream", False) or path.endswith("converse-stream")
        if path.startswith("/model/"):
            request = converse(path, body, self.headers)
            check_signature(request, raw, self.headers)
            kind = urllib.parse.unquote(path.split("/")[2]).split(".")[-1].split("-")[0]
            if is_stream:
                return kind, converse_stream(kind), "application/vnd.amazon.eventstream"
            return kind, json.dumps(converse_reply(kind)).encode(), "application/json"
        kind = body["model"].split("-")[-1]
        if path == "/v1/chat/completions":
            declared(chat.CompletionCreateParamsStreaming if is_stream else chat.CompletionCreateParamsNonStreaming, body)
            document, stream = chat_reply, chat_stream
        elif path == "/v1/responses":
            declared(
                responses.ResponseCreateParamsStreaming if is_stream else responses.ResponseCreateParamsNonStreaming, body
            )
            document, stream = response_reply, response_stream
        elif path == "/v1/messages":
            declared(MessageCreateParamsStreaming if is_stream else MessageCreateParamsNonStreaming, body)
            key = self.headers["x-api-key"] or self.headers["authorization"]
            if self.headers["anthropic-version"] != ANTHROPIC_API_VERSION or not key:
                raise ValueError(f"the version or the key is missing: {sorted(self.headers)}")
            document, stream = message_reply, message_stream
        else:
            raise ValueError(f"no such path: {path}")
        if is_stream:
            return kind, stream(kind).encode(), "text/event-stream; charset=utf-8"
        return kind, json.dumps(document(kind)).encode(), "application/json"

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Vendors)
print(server.server_address[1], flush=True)
server.serve_forever()
