import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { fromBase64Url } from '@fastness/codec/bytes';
import { createWitness, parseVerifierKey, verifierKeyOf, type Witness } from '@fastness/log';
import { openWitnessStore, serveWitness } from '@fastness/log/node';

/** A real witness on a port of its own, with its state in a folder. */
export interface TestWitness extends AsyncDisposable {
  readonly name: string;
  readonly key: string;
  readonly url: string;
  /** What it does instead of answering; undefined: it answers. */
  instead: (() => Promise<never>) | undefined;
  /** Called with each request, before it is answered. */
  onRequest: (() => void) | undefined;
}

export async function startWitness(options: {
  name: string;
  directory: string;
  logKeys: readonly string[];
  now: () => Date;
}): Promise<TestWitness> {
  const { name, directory, now } = options;
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const key = await verifierKeyOf({
    name,
    publicKey: fromBase64Url(publicKey.export({ format: 'jwk' }).x ?? ''),
    algorithm: 'cosignature/v1',
  });
  mkdirSync(directory, { recursive: true });
  const store = await openWitnessStore({ directory });
  const logs = await Promise.all(options.logKeys.map(async (text) => ({ logKeys: [await parseVerifierKey(text)] })));
  const inner = createWitness({
    key,
    sign: async (message) => new Uint8Array(sign(null, message, privateKey)),
    logs,
    store,
    now,
  });
  const witness: Witness = {
    key,
    async addCheckpoint(body) {
      running.onRequest?.();
      if (running.instead !== undefined) return await running.instead();
      return await inner.addCheckpoint(body);
    },
  };
  const served = await serveWitness({ witness, host: '127.0.0.1', port: 0 });
  const running: TestWitness = {
    name,
    key: key.text,
    url: served.url,
    instead: undefined,
    onRequest: undefined,
    async [Symbol.asyncDispose]() {
      await served[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
  return running;
}
