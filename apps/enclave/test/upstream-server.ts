// A server that speaks OpenAI's API, for tests of the enclave's side of it. What it answers depends on the last message.
// Run: upstream-server.ts SOCKET-OR-PORT MODEL-FILE
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';

const [address = '', modelFile = ''] = process.argv.slice(2);
const key = process.env['SERVER_KEY'];
const digest = createHash('sha256').update(readFileSync(modelFile)).digest('hex');
if (address === 'end') process.exit(3);

interface Body {
  readonly messages?: readonly { readonly role: string; readonly content: string; readonly tool_call_id?: string }[];
  readonly prompt?: string;
  readonly input?: readonly string[];
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
  readonly response_format?: object;
  readonly cache_salt?: string;
  readonly cache_prompt?: boolean;
}

let working = 0;
let made = 0;

function start(response: ServerResponse): (choice: object, more?: object) => void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  return (choice, more = {}) => {
    response.write(`data: ${JSON.stringify({ choices: [{ index: 0, ...choice }], ...more })}\n\n`);
  };
}

function finish(response: ServerResponse, reason: string, tokens: number): void {
  response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: reason }] })}\n\n`);
  const usage = { prompt_tokens: 7, completion_tokens: tokens };
  response.end(`data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`);
}

function say(response: ServerResponse, text: string): void {
  const write = start(response);
  const words = text.split(/(?<= )/u);
  for (const word of words) write({ delta: { content: word } });
  finish(response, 'stop', words.length);
}

function generate(body: Body, response: ServerResponse): void {
  const last = body.messages?.at(-1);
  const asked = last?.content ?? body.prompt ?? '';
  const error = (status: number, message: string): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { code: status, message, type: 'some_error' } }));
  };
  if (last?.role === 'tool') say(response, `The tool said ${asked} to ${last.tool_call_id}.`);
  else if (asked === 'digest') say(response, digest);
  else if (asked === 'state') say(response, JSON.stringify({ working, made }));
  else if (asked === 'body') say(response, JSON.stringify(body));
  else if (asked === 'environment') say(response, JSON.stringify({ ...process.env, argv: process.argv.slice(2) }));
  else if (asked === 'too long') error(400, 'the request exceeds the available context size');
  else if (asked === 'wrong') error(422, 'there is no such thing');
  else if (asked === 'broken') error(500, 'secret detail');
  else if (asked === 'busy') error(503, 'loading');
  else if (asked === 'die') process.exit(9);
  else if (asked === 'cut') {
    start(response)({ delta: { content: 'half' } });
    setImmediate(() => response.destroy());
  } else if (asked === 'forever') {
    const write = start(response);
    working += 1;
    const timer = setInterval(() => {
      made += 1;
      write({ delta: { content: 'on ' } });
    }, 5);
    response.once('close', () => {
      clearInterval(timer);
      working -= 1;
    });
  } else if (asked === 'think' || asked === 'call') {
    // Twenty parts, and then it waits for who asked to go away.
    const write = start(response);
    write({ delta: { role: 'assistant', content: null } });
    const call = { index: 0, function: { arguments: 'x' } };
    for (let part = 0; part < 20; part += 1)
      write({ delta: asked === 'think' ? { reasoning_content: 'hm ' } : { tool_calls: [call] } });
    write({ delta: { content: 'now' } });
  } else if (body.tools !== undefined) {
    const write = start(response);
    const name = body.tools[0]?.function.name ?? '';
    const parts = [
      { index: 0, id: 'call-1', type: 'function', function: { name, arguments: '' } },
      { index: 0, function: { arguments: '{"city":' } },
      { index: 0, function: { arguments: '"Bern"}' } },
    ];
    for (const part of parts) write({ delta: { tool_calls: [part] } });
    finish(response, 'tool_calls', 9);
  } else if (body.response_format !== undefined) say(response, JSON.stringify({ answered: asked }));
  else say(response, `You said ${asked}.`);
}

const server = createServer((request, response) => {
  if (key !== undefined && request.headers.authorization !== `Bearer ${key}`) {
    response.writeHead(401).end();
    return;
  }
  if (request.url === '/health') {
    response.writeHead(200).end('{"status":"ok"}');
    return;
  }
  let text = '';
  request.on('data', (part: Buffer) => (text += part.toString()));
  request.once('end', () => {
    const body = JSON.parse(text) as Body;
    if (request.url === '/v1/embeddings') {
      const data = (body.input ?? []).map((input, index) => ({ index, embedding: [input.length, 3, 4] })).toReversed();
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ data, usage: { prompt_tokens: 11 } }));
    } else generate(body, response);
  });
});
if (/^\d+$/u.test(address)) server.listen(Number(address), '127.0.0.1');
else server.listen(address);
