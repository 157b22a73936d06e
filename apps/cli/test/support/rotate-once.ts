import { openSoftwareKeyStore, wrappedKeyToJson } from '@fastness/keys';
import { rotateModel } from '../../src/support/rotation.ts';

/* One rotation as `fastness rotate` does it, of a model and a store that the test made. */
const { DIR = '', STORE = '', JOURNAL = '', BROKER = '', TOKEN = '', DIGEST = '' } = process.env;
await using keyStore = await openSoftwareKeyStore({
  path: STORE,
  passphrase: new TextEncoder().encode('a passphrase for tests only'),
});
const { version, resumed } = await rotateModel({
  dir: DIR,
  keyStore,
  journalPath: JOURNAL,
  register: async (root) => {
    const response = await fetch(`${BROKER}/v1/admin/wrapped-keys`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        releaseDigest: DIGEST,
        keys: { format: 'fastness/keys/v1', root: wrappedKeyToJson(root) },
      }),
    });
    if (!response.ok) throw new Error(await response.text());
  },
});
process.stdout.write(JSON.stringify({ version, resumed }));
