import { cmwToJson, type CmwJson } from '@fastness/attest';
import { fromHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { snpEndorsements, snpEvidence } from '../snp/evidence.ts';
import { forgeSnpReport } from '../snp/report.ts';
import { withCurrentCrl } from './state.ts';
import type { SimulatedState } from './state-text.ts';

/** The answer to one request. */
export interface SimulatedReport {
  readonly evidence: CmwJson;
  readonly endorsements: readonly CmwJson[];
}

export interface ReporterOptions {
  readonly stateDir: string;
  readonly state: SimulatedState;
  /** 96 hex digits. */
  readonly measurement: string;
  readonly now: () => Date;
}

const REPORT_DATA_BYTES = 64;

/**
 * Makes the function that answers report requests: a version 5 report of VMPL 0, debugging and migration off, over the
 * measurement of the image, signed by the forged VCEK; with it the chain and a current revocation list.
 */
export function createReporter(options: ReporterOptions): (reportData: Uint8Array) => Promise<SimulatedReport> {
  const { stateDir, now } = options;
  const measurement = fromHex(options.measurement);
  // The processor draws this once per launch of a guest.
  const reportId = crypto.getRandomValues(new Uint8Array(32));
  let state = options.state;
  return async (reportData) => {
    if (reportData.length !== REPORT_DATA_BYTES) {
      throw new FastnessError('TESTKIT_REQUEST', `Report data of ${reportData.length} bytes; it takes 64.`);
    }
    state = await withCurrentCrl(stateDir, state, now());
    const { chain } = state;
    const report = await forgeSnpReport({ chain, reportData, measurement, reportId });
    const endorsements = snpEndorsements({ certificates: chain.certificates, crls: [chain.crl] });
    return {
      evidence: cmwToJson(snpEvidence({ report, simulated: true })),
      endorsements: [cmwToJson(endorsements)],
    };
  };
}
