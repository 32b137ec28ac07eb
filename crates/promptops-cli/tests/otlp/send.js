// Sends spans by OTLP with OpenTelemetry's SDK for Node: send.js PROTOCOL URL SERVICE CALLS. Ends with an error when an export is
// not taken. NODE_PATH names the folder of the packages.
'use strict'

const { TracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace')
const { resourceFromAttributes } = require('@opentelemetry/resources')

const [protocol, url, service, calls] = process.argv.slice(2)
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${protocol}`)

async function main() {
  const exporter = new OTLPTraceExporter({ url: protocol === 'grpc' ? url : `${url}/v1/traces`, compression: 'gzip' })
  const results = []
  const taken = exporter.export.bind(exporter)
  exporter.export = (spans, done) => taken(spans, (result) => { results.push(result); done(result) })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    spanProcessors: [new BatchSpanProcessor({ exporter, maxExportBatchSize: 1000, maxQueueSize: 1000 })],
  })
  const tracer = provider.getTracer('send.js')
  for (let number = 0; number < Number(calls); number++) {
    const span = tracer.startSpan('chat gpt-5.2', {
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'gpt-5.2',
        'gen_ai.usage.input_tokens': 100 + number,
        'gen_ai.prompt.name': 'support.intent',
        'gen_ai.prompt.version': '2',
      },
    })
    span.end()
  }
  await provider.forceFlush()
  await provider.shutdown()
  if (results.length === 0 || results.some((result) => result.code !== 0)) throw new Error(JSON.stringify(results))
}

main().catch((error) => { console.error(error); process.exitCode = 1 })
