// A relay that keeps what it sees: the size of every request, and when how much of each answer arrived. Run by
// recorder.ts as a process of its own, so that nobody else's work shows in the times. Arguments: the upstream's URL.
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';

const [upstream = ''] = process.argv.slice(2);

const server = createServer((incoming, outgoing) => {
  const began = performance.now();
  const { 'x-trace': id, ...headers } = incoming.headers;
  const arrivals: { at: number; bytes: number }[] = [];
  let requestBytes = 0;
  const forwarded = httpRequest(new URL(incoming.url ?? '/', upstream), {
    method: incoming.method,
    headers,
    agent: false,
  });
  forwarded.setNoDelay(true);
  incoming.on('data', (bytes: Buffer) => (requestBytes += bytes.length));
  incoming.pipe(forwarded);
  forwarded.once('error', () => outgoing.destroy());
  forwarded.once('response', (response) => {
    outgoing.writeHead(response.statusCode ?? 502, response.headers);
    response.on('data', (bytes: Buffer) => {
      arrivals.push({ at: performance.now() - began, bytes: bytes.length });
      outgoing.write(bytes);
    });
    response.once('end', () => {
      if (id !== undefined && incoming.url === '/ohttp') process.send?.({ id, trace: { requestBytes, arrivals } });
      outgoing.end();
    });
    response.once('error', () => outgoing.destroy());
  });
});
server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.once('disconnect', () => process.exit());
