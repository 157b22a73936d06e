import type { Certificate } from '@fastness/codec/x509';
import type { Cmw } from '../../cmw.ts';
import { parse } from './parse.ts';
import { wantedRims, type RimWanted } from './rim/ids.ts';
import { readRim } from './rim/swid.ts';

/** What to fetch before a report can be verified. */
export interface NeededEndorsements {
  /** Documents, by the names that NVIDIA's RIM service gives them. */
  readonly rims: readonly RimWanted[];
  /** Certificates to ask the OCSP responder about, each with its issuer. */
  readonly certificates: readonly { readonly certificate: Certificate; readonly issuer: Certificate }[];
}

/**
 * What the verification of a report will need, for whoever fetches it. The report is only read, so this is what the sender
 * says it needs. `rims`: documents that are there already; their certificates are to be asked about as well.
 * Throws what `parse` throws.
 */
export function neededEndorsements(evidence: Cmw, rims: readonly Uint8Array[] = []): NeededEndorsements {
  const { report, chip, certificates } = parse(evidence);
  const chains = [certificates.slice(1), ...rims.map((rim) => readRim(rim).signed.certificates)];
  return Object.freeze({
    rims: wantedRims(report, chip.chip),
    certificates: chains.flatMap((chain) =>
      chain.flatMap((certificate, index) => {
        const issuer = chain[index + 1];
        return issuer === undefined ? [] : [{ certificate, issuer }];
      }),
    ),
  });
}
