// A provider on this machine: servers that answer the official clients with what a test says.

import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { crc32 } from 'node:zlib';

/** Answers each request with the next of `answers`, the last one again and again. */
export class Provider {
  answers = [];
  asked = [];
  /** By protocol: AWS's client speaks HTTP/2. */
  urls = {};
  #servers = [];

  async start() {
    const respond = (request, response) => {
      const chunks = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => {
        this.asked.push(JSON.parse(Buffer.concat(chunks).toString()));
        const { status, headers, body } = this.answers.length > 1 ? this.answers.shift() : this.answers[0];
        response.writeHead(status, headers);
        response.end(body);
      });
    };
    for (const [name, server] of [['http', createServer(respond)], ['http2', createHttp2Server(respond)]]) {
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
      this.urls[name] = `http://127.0.0.1:${server.address().port}`;
      this.#servers.push(server);
    }
  }

  stop() {
    for (const server of this.#servers) server.close();
  }

  reset() {
    this.answers = [];
    this.asked = [];
  }

  answer(json, { status = 200, headers = {} } = {}) {
    this.answers.push({ status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(json) });
  }

  /** Server-sent events: named by their type as Anthropic has them, or with OpenAI's end. */
  answerEvents(events, { named = false, headers = {} } = {}) {
    const lines = events.map((event) => `${named ? `event: ${event.type}\n` : ''}data: ${JSON.stringify(event)}\n\n`);
    const body = lines.join('') + (named ? '' : 'data: [DONE]\n\n');
    this.answers.push({ status: 200, headers: { 'content-type': 'text/event-stream', ...headers }, body });
  }

  /** Events in AWS's own binary form. */
  answerAwsEvents(events, { headers = {} } = {}) {
    const body = Buffer.concat(events.flatMap((event) => Object.entries(event).map(([name, about]) => awsEvent(name, about))));
    this.answers.push({ status: 200, headers: { 'content-type': 'application/vnd.amazon.eventstream', ...headers }, body });
  }
}

/** One message of `application/vnd.amazon.eventstream`: lengths, headers and payload, each with its CRC 32. */
function awsEvent(name, about) {
  const kind = name.endsWith('Exception') ? 'exception' : 'event';
  const named = { [`:${kind}-type`]: name, ':content-type': 'application/json', ':message-type': kind };
  const headers = Buffer.concat(Object.entries(named).map(([header, value]) => {
    const bytes = Buffer.from(`\0${header}\x07\0\0${value}`);
    bytes[0] = header.length;
    bytes.writeUInt16BE(value.length, header.length + 2);
    return bytes;
  }));
  const payload = Buffer.from(JSON.stringify(about));
  const prelude = numbers(16 + headers.length + payload.length, headers.length);
  const message = Buffer.concat([prelude, numbers(crc32(prelude)), headers, payload]);
  return Buffer.concat([message, numbers(crc32(message))]);
}

function numbers(...values) {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32BE(value >>> 0, 4 * index));
  return bytes;
}
