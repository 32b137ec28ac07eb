"""Calls a model through a client that a library instruments: instrumented.py LIBRARY MODEL_URL OTLP_URL MODEL."""

import sys

from openai import NotFoundError, OpenAI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

library, model_url, otlp_url, model = sys.argv[1:]
if library == "openinference":
    from openinference.instrumentation.openai import OpenAIInstrumentor
else:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

provider = TracerProvider(resource=Resource({"service.name": library}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{otlp_url}/v1/traces")))
OpenAIInstrumentor().instrument(tracer_provider=provider)
client = OpenAI(base_url=model_url, api_key="none", max_retries=0)
messages = [{"role": "user", "content": "Answer with billing or technical: my invoice is wrong"}]
client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=16)
try:
    client.chat.completions.create(model="no-such-model", messages=messages)
except NotFoundError:
    pass
provider.shutdown()
