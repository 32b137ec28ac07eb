"""What the vendors' own clients read out of a reply, in one form for all of them."""

import json

import anthropic
import boto3
import openai
from botocore.config import Config


def tool(name, arguments):
    return {"name": name, "arguments": json.loads(arguments) if isinstance(arguments, str) else arguments}


def detail(details, name):
    """A count that a reply may leave out."""
    return getattr(details, name, None) or 0


def of_chat(url, kind, is_stream):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="wire-test-credential", max_retries=0)
    ask = {"model": f"wire-{kind}", "messages": [{"role": "user", "content": "x"}]}
    if is_stream:
        with client.chat.completions.stream(**ask, stream_options={"include_usage": True}) as stream:
            completion = stream.get_final_completion()
    else:
        completion = client.chat.completions.create(**ask)
    choice = completion.choices[0]
    calls = choice.message.tool_calls or []
    usage = completion.usage
    return {
        "text": choice.message.content or choice.message.refusal or "",
        "tools": [tool(call.function.name, call.function.arguments) for call in calls],
        "model": completion.model,
        "fingerprint": completion.system_fingerprint,
        "finish_reason": choice.finish_reason,
        "input": usage.prompt_tokens,
        "output": usage.completion_tokens,
        "cached_input": detail(usage.prompt_tokens_details, "cached_tokens"),
        "cache_write": detail(usage.prompt_tokens_details, "cache_write_tokens"),
        "reasoning": detail(usage.completion_tokens_details, "reasoning_tokens"),
    }


def of_responses(url, kind, is_stream):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="wire-test-credential", max_retries=0)
    ask = {"model": f"wire-{kind}", "input": "x"}
    if is_stream:
        with client.responses.stream(**ask) as stream:
            response = stream.get_final_response()
    else:
        response = client.responses.create(**ask)
    calls = [item for item in response.output if item.type == "function_call"]
    messages = [part for item in response.output if item.type == "message" for part in item.content]
    refusals = [part.refusal for part in messages if part.type == "refusal"]
    usage = response.usage
    return {
        "text": response.output_text or "".join(refusals),
        "tools": [tool(call.name, call.arguments) for call in calls],
        "model": response.model,
        "fingerprint": None,
        "finish_reason": response.status,
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "cached_input": detail(usage.input_tokens_details, "cached_tokens"),
        "cache_write": detail(usage.input_tokens_details, "cache_write_tokens"),
        "reasoning": detail(usage.output_tokens_details, "reasoning_tokens"),
    }


def of_anthropic(url, kind, is_stream):
    client = anthropic.Anthropic(base_url=url, api_key="wire-test-credential", max_retries=0)
    ask = {"model": f"wire-{kind}", "max_tokens": 64, "messages": [{"role": "user", "content": "x"}]}
    if is_stream:
        with client.messages.stream(**ask) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(**ask)
    usage = message.usage
    return {
        "text": "".join(block.text for block in message.content if block.type == "text"),
        "tools": [tool(block.name, block.input) for block in message.content if block.type == "tool_use"],
        "model": message.model,
        "fingerprint": None,
        "finish_reason": message.stop_reason,
        "input": usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0),
        "output": usage.output_tokens,
        "cached_input": usage.cache_read_input_tokens or 0,
        "cache_write": usage.cache_creation_input_tokens or 0,
        "reasoning": detail(usage.output_tokens_details, "thinking_tokens"),
    }


def of_bedrock(url, kind, is_stream):
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        aws_session_token="token",
        config=Config(retries={"total_max_attempts": 1}),
    )
    ask = {"modelId": f"vendor.{kind}-v1:0", "messages": [{"role": "user", "content": [{"text": "x"}]}]}
    if is_stream:
        text, tools, usage, reason = "", [], None, None
        for event in client.converse_stream(**ask)["stream"]:
            start = event.get("contentBlockStart", {}).get("start", {}).get("toolUse")
            delta = event.get("contentBlockDelta", {}).get("delta", {})
            if start:
                tools.append({"name": start["name"], "arguments": ""})
            text += delta.get("text", "")
            if "toolUse" in delta:
                tools[-1]["arguments"] += delta["toolUse"]["input"]
            reason = event.get("messageStop", {}).get("stopReason", reason)
            usage = event.get("metadata", {}).get("usage", usage)
        tools = [tool(**call) for call in tools]
    else:
        reply = client.converse(**ask)
        content = reply["output"]["message"]["content"]
        text = "".join(block.get("text", "") for block in content)
        tools = [tool(block["toolUse"]["name"], block["toolUse"]["input"]) for block in content if "toolUse" in block]
        usage, reason = reply["usage"], reply["stopReason"]
    return {
        "text": text,
        "tools": tools,
        "model": "",
        "fingerprint": None,
        "finish_reason": reason,
        "input": usage["inputTokens"] + usage["cacheReadInputTokens"] + usage["cacheWriteInputTokens"],
        "output": usage["outputTokens"],
        "cached_input": usage["cacheReadInputTokens"],
        "cache_write": usage["cacheWriteInputTokens"],
        "reasoning": 0,
    }


READINGS = {"openai-chat": of_chat, "openai-responses": of_responses, "anthropic": of_anthropic, "bedrock": of_bedrock}
