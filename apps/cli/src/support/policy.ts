import type { SimulatedTrust } from './simulated.ts';

/**
 * The attestation policy of a new home. The TCB floor follows AMD-SB-3019 (SNP firmware 0x17 on Genoa). Milan is left out:
 * the seed of its VCEK has been extracted from chips (arXiv 2605.12990); who needs it adds it to `products`.
 * Measurements come from the signed release. Simulated evidence is accepted only where `trust` names its root.
 */
export function attestationPolicyFor(trust: SimulatedTrust | undefined): Record<string, unknown> {
  return {
    version: 1,
    id: trust === undefined ? 'fastness-default' : 'fastness-simulated',
    snp: {
      products: ['Genoa', 'Turin'],
      signingKeys: ['vcek'],
      vmpl: [0],
      measurements: 'from-release',
      minimumTcb: { Genoa: { snp: 0x17 } },
      requireAliasCheck: true,
      smt: 'allow',
    },
    ...(trust === undefined ? {} : { simulated: { arkSpkiSha256: trust.arkSpkiSha256 } }),
    waivers: [],
  };
}
