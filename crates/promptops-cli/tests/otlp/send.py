"""Sends spans by OTLP with OpenTelemetry's SDK: send.py PROTOCOL URL SERVICE BATCHES CALLS.

Each batch is an export of its own: an agent's span, and in it so many calls of a model. Ends with an error when an export is
not taken.
"""

import sys

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

protocol, url, service, batches, calls = *sys.argv[1:4], *map(int, sys.argv[4:])
if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from grpc import Compression

    exporter = OTLPSpanExporter(endpoint=url, insecure=True, compression=Compression.Gzip, timeout=60)
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces", compression=Compression.Gzip, timeout=60)

results = []
export = exporter.export
exporter.export = lambda spans: results.append(export(spans)) or results[-1]
provider = TracerProvider(resource=Resource({"service.name": service, "deployment.environment.name": "test"}))
provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=100_000, max_export_batch_size=100_000))
tracer = provider.get_tracer("send.py")
for _ in range(batches):
    with tracer.start_as_current_span("invoke_agent router", attributes={"gen_ai.operation.name": "invoke_agent"}):
        for number in range(calls):
            said = {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-5.2",
                "gen_ai.request.temperature": 0.0,
                "gen_ai.response.finish_reasons": ["stop"],
                "gen_ai.usage.input_tokens": 100 + number,
                "gen_ai.usage.output_tokens": 3,
                "gen_ai.prompt.name": "support.intent",
                "gen_ai.prompt.version": "2",
            }
            with tracer.start_as_current_span("chat gpt-5.2", attributes=said):
                pass
    assert provider.force_flush()
provider.shutdown()
assert results == [SpanExportResult.SUCCESS] * batches, results
