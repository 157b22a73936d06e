import { toHex } from '@fastness/codec';
import type { NitroClaims } from '../../claims/nitro.ts';
import type { AuthenticDocument } from './stages.ts';

/** The EC2 instance in a module id, `i-<hex>-enc<hex>` or `i-<hex>-tpm<hex>`; undefined when it names none. */
export function instanceOf(moduleId: string): string | undefined {
  return /^(?<instance>i-[0-9a-f]{8,17})-(?:enc|tpm)[0-9a-f]+$/.exec(moduleId)?.groups?.['instance'];
}

/** The facts of an appraised document. */
export function claimsOf(
  { document, kind, at }: AuthenticDocument,
  appraised: { readonly reportData: string; readonly debug: boolean },
): NitroClaims {
  const { moduleId, timestamp, pcrs, publicKey, userData, nonce } = document;
  const instance = instanceOf(moduleId);
  return Object.freeze({
    tee: kind.tee,
    simulated: false,
    vendor: 'AWS',
    identity: Object.freeze({ kind: 'instance-id', value: moduleId } as const),
    ...(instance === undefined ? {} : { instance }),
    measurement: toHex(pcrs.get(kind.measurementPcr) ?? new Uint8Array()),
    pcrs: Object.freeze(Object.fromEntries([...pcrs].map(([index, value]) => [`${index}`, toHex(value)]))),
    debug: appraised.debug,
    reportData: appraised.reportData,
    ...(publicKey === undefined ? {} : { publicKey: toHex(publicKey) }),
    ...(userData === undefined ? {} : { userData: toHex(userData) }),
    ...(nonce === undefined ? {} : { nonce: toHex(nonce) }),
    signedAt: new Date(timestamp).toISOString(),
    verifiedAt: new Date(at).toISOString(),
  });
}
