import type { SimulatedTrust } from './simulated.ts';

/**
 * The attestation policy of a new home. TCB floors follow AMD-SB-3019 (SNP firmware 0x18 on Milan, 0x17 on Genoa).
 * Measurements come from the signed release. Simulated evidence is accepted only where `trust` names its root.
 */
export function attestationPolicyFor(trust: SimulatedTrust | undefined): Record<string, unknown> {
  return {
    version: 1,
    id: trust === undefined ? 'fastness-default' : 'fastness-simulated',
    snp: {
      products: ['Milan', 'Genoa', 'Turin'],
      signingKeys: ['vcek'],
      vmpl: [0],
      measurements: 'from-release',
      minimumTcb: { Milan: { snp: 0x18 }, Genoa: { snp: 0x17 } },
      smt: 'allow',
    },
    ...(trust === undefined ? {} : { simulated: { arkSpkiSha256: trust.arkSpkiSha256 } }),
    waivers: [],
  };
}
