/*
 * Seals the same model again and again until it is killed: argv is source, target, model id and the key store's path;
 * its passphrase comes in hex on standard input. Prints a line when the first sealing begins.
 */
import { text } from 'node:stream/consumers';
import { fromHex } from '@fastness/codec/bytes';
import { openSoftwareKeyStore } from '@fastness/keys';
import { sealModel } from '../../src/index.ts';

const [source = '', target = '', modelId = '', path = ''] = process.argv.slice(2);
const keyStore = await openSoftwareKeyStore({ path, passphrase: fromHex(await text(process.stdin)) });
const model = { source, target, modelId, engine: 'onnx', task: 'embed' } as const;

process.stdout.write('begin\n');
for (;;) {
  await sealModel({ ...model, keyStore, kekId: 'kek', segmentSize: 65_536, threads: 2, replace: true });
}
