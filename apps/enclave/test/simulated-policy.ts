import type { BrokerPolicy } from '@fastness/broker';
import type { SimulatedTee } from '@fastness/testkit/simulated-tee';

/** What brokers here ask of evidence: that of this simulated TEE, with a measurement that the release lists. */
export function simulatedOnly({ arkSpkiSha256 }: Pick<SimulatedTee, 'arkSpkiSha256'>): BrokerPolicy['attestation'] {
  return {
    version: 1,
    id: 'test',
    snp: {
      products: ['Milan', 'Genoa', 'Turin'],
      signingKeys: ['vcek'],
      vmpl: [0],
      measurements: 'from-release',
      minimumTcb: {},
      smt: 'allow',
    },
    simulated: { arkSpkiSha256 },
    waivers: [],
  };
}
