"""The active span of OpenTelemetry. Imported by the native part where the application has imported OpenTelemetry."""

from __future__ import annotations

from opentelemetry import trace

NAME = "gen_ai.prompt.name"
VERSION = "gen_ai.prompt.version"
# The conventions have no name for it.
DIGEST = "promptops.prompt.digest"


def tag(name: str, version: int, digest: str) -> tuple[str, str] | None:
    """Says on the active span which prompt is called; returns its trace and span as hexadecimal digits."""
    span = trace.get_current_span()
    context = span.get_span_context()
    if not context.is_valid:
        return None
    span.set_attributes({NAME: name, VERSION: str(version), DIGEST: digest})
    return format(context.trace_id, "032x"), format(context.span_id, "016x")
