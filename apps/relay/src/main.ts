import { parseArgs } from 'node:util';
import { FastnessError } from '@fastness/codec/errors';
import { startRelay } from './index.ts';

// The relay as a process of its own: `main.ts --listen HOST:PORT --upstream ORIGIN [--allow-origin ORIGIN]...`.
// Prints one line of JSON for each exchange (sizes and times only) on standard output. Whoever reads it may go away.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
try {
  const { values } = parseArgs({
    options: {
      listen: { type: 'string', default: '127.0.0.1:8480' },
      upstream: { type: 'string' },
      'allow-origin': { type: 'string', multiple: true, default: [] },
    },
  });
  const address = /^(?:\[(?<v6>[0-9a-f:.]+)\]|(?<name>[^:]+)):(?<port>\d{1,5})$/i.exec(values.listen)?.groups;
  const host = address?.['v6'] ?? address?.['name'];
  if (host === undefined) throw new FastnessError('RELAY_CONFIG_INVALID', 'listen: expected HOST:PORT.');
  const relay = await startRelay({
    listen: { host, port: Number(address?.['port']) },
    upstream: values.upstream ?? '',
    allowedOrigins: values['allow-origin'],
    observe: (access) => process.stdout.write(`${JSON.stringify(access)}\n`),
  });
  process.stderr.write(`relay: ${relay.url} -> ${values.upstream}\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void relay.close();
    });
  }
} catch (error) {
  const known = error instanceof FastnessError ? error : undefined;
  process.stderr.write(
    `relay: ${known?.code ?? 'usage'}: ${error instanceof Error ? error.message : 'unknown error'}\n`,
  );
  if (known !== undefined) process.stderr.write(`next: ${known.next}\n`);
  process.exitCode = known?.exitCode ?? 2;
}
