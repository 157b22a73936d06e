import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fakeKds, type KdsMaterial } from '@fastness/testkit/services';
import { amdCrlRequest, certificatesOf, openEndorsementCache } from '../../src/endorsements/index.ts';
import { fake, forgedAmd, later, now, sourceFor, temporaryDirectory } from './endorsements.ts';

/** A root with its service, a cache, and the request for the list of revoked certificates. */
export async function cacheWorld(options: { key?: Uint8Array } = {}) {
  const amd = await forgedAmd();
  const service = await fake(amd.routes);
  const directory = await temporaryDirectory();
  const cacheOptions = { directory, ...options };
  const issuers = certificatesOf(new TextEncoder().encode(amd.material.chain));
  const request = amdCrlRequest({ kind: 'vcek', product: 'Genoa', chain: issuers });
  let time = now;
  const source = async (more: { offline?: boolean } = {}) =>
    sourceFor({
      anchors: amd.anchors,
      services: { amd: service.url },
      cache: await openEndorsementCache(cacheOptions),
      at: () => time,
      ...more,
    });
  return {
    ...amd,
    service,
    directory,
    request,
    source,
    issuers,
    /** Serves a list with this number and time of issue from now on. */
    serve: async (number: number, thisUpdate: Date, nextUpdate = later(30)): Promise<void> => {
      const crl = await amd.chain.issueCrl({ number, thisUpdate, nextUpdate });
      service.serve(fakeKds([{ ...amd.material, crl } satisfies KdsMaterial]));
    },
    setTime: (date: Date): void => {
      time = date;
    },
    entryFile: async (): Promise<string> => {
      const [name] = await readdir(join(directory, 'entries'));
      return join(directory, 'entries', name ?? 'none');
    },
  };
}
