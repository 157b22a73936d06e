// Writes docs/vectors: test vectors for docs/protocol.md. Run: npm run vectors
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { protocolVectors } from './protocol-vectors.ts';

const folder = fileURLToPath(new URL('../docs/vectors', import.meta.url));
mkdirSync(folder, { recursive: true });
for (const [name, content] of await protocolVectors()) {
  writeFileSync(join(folder, name), `${JSON.stringify(content, undefined, 2)}\n`);
}
