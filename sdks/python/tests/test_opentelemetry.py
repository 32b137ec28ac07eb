"""OpenTelemetry: spans say which prompt is called, and the record says in which span."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import promptops
import pytest
from conftest import recorded

trace = pytest.importorskip("opentelemetry.trace")
sdk = pytest.importorskip("opentelemetry.sdk.trace")

INTENT = "customer-support.intent-classifier"


def test_the_active_span_is_tagged_and_recorded(locked: promptops.Loader, tmp_path: Path) -> None:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from promptops.opentelemetry import PromptSpanProcessor

    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    prompt = locked.load_prompt(INTENT)
    with prompt.invocation() as call:
        call.record("billing")
    with tracer.start_as_current_span("ask"), prompt.invocation() as call:
        with prompt.invocation() as inner, tracer.start_as_current_span("untagged"):
            inner.record("technical")
        call.record("billing")
        provider.add_span_processor(PromptSpanProcessor())
        with tracer.start_as_current_span("chat"):
            pass
    with tracer.start_as_current_span("outside"):
        pass
    tagged = {
        "gen_ai.prompt.name": INTENT,
        "gen_ai.prompt.version": "2",
        "promptops.prompt.digest": prompt.digest,
    }
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert {name: dict(span.attributes) for name, span in spans.items()} == {
        "ask": tagged, "untagged": {}, "chat": tagged, "outside": {},
    }  # fmt: skip
    before, inner_record, outer = recorded(tmp_path)
    assert "trace_id" not in before
    context = spans["ask"].get_span_context()
    for record in [inner_record, outer]:
        assert record["trace_id"] == format(context.trace_id, "032x")
        assert record["span_id"] == format(context.span_id, "016x")
    assert inner_record["parent_invocation"] == outer["invocation_id"]
    with tracer.start_as_current_span("given"), prompt.invocation(trace_id="f" * 32, span_id="e" * 16) as call:
        call.record("billing")
    assert recorded(tmp_path)[-1]["trace_id"] == "f" * 32


def test_nothing_heavy_is_imported_for_it(tmp_path: Path, locked: promptops.Loader) -> None:
    script = """
import sys, promptops
prompt = promptops.Loader(lock="promptops.lock").load_prompt("customer-support.intent-classifier")
with prompt.invocation() as call:
    call.record("billing")
heavy = {"opentelemetry", "asyncio", "inspect", "typing", "pydantic", "openai", "langchain_core"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{script}"], cwd=tmp_path, check=True)
