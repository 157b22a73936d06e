import type { Tee } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';

/** TEEs whose evidence is taken here. */
export type RcarTee = Extract<Tee, 'sev-snp' | 'tdx'>;

const served: ReadonlyMap<string, RcarTee> = new Map<string, RcarTee>([
  ['snp', 'sev-snp'],
  ['tdx', 'tdx'],
]);

const samples: ReadonlySet<string> = new Set(['sample', 'sampledevice']);

/** TEEs of the protocol that are not taken here. */
const others: ReadonlySet<string> = new Set([
  'azsnpvtpm',
  'aztdxvtpm',
  'sgx',
  'csv',
  'cca',
  'se',
  'hygondcu',
  'nvidia',
  'tpm',
]);

/**
 * The TEE that a guest names. Names come in two spellings, `azsnpvtpm` up to release 0.12 of kbs-types and `az-snp-vtpm`
 * since; dashes are passed over. Throws `RCAR_SAMPLE_REFUSED`, `RCAR_TEE_UNSUPPORTED`, `RCAR_TEE_UNKNOWN`.
 */
export function teeOfName(name: string): RcarTee {
  const plain = name.replaceAll('-', '');
  const tee = served.get(plain);
  if (tee !== undefined) return tee;
  if (samples.has(plain)) throw new FastnessError('RCAR_SAMPLE_REFUSED');
  throw new FastnessError(others.has(plain) ? 'RCAR_TEE_UNSUPPORTED' : 'RCAR_TEE_UNKNOWN');
}
