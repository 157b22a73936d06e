import { cmwFromJson, SIMULATED_SNP_EVIDENCE_TYPE, type Cmw } from '@fastness/attest';
import { toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { requireReportData, type CollectedEvidence, type Collector } from './collector.ts';
import { acceptsConnections, exchangeLine } from './line-exchange.ts';

export interface SimulatedCollectorOptions {
  /** Unix socket of the simulated TEE. */
  readonly socketPath: string;
  /** For one report, connecting included. Default 10 seconds. */
  readonly timeoutMs?: number;
}

/** A report and a chain take about 10 KiB. */
const MAX_ANSWER = 1 << 20;
const MAX_ENDORSEMENTS = 8;

/**
 * Collects from the simulated TEE over its Unix socket. Its evidence has a media type and a root of its own, and
 * verifiers refuse it unless their policy names that root. No hardware protects anything.
 */
export function simulatedCollector(options: SimulatedCollectorOptions): Collector {
  const { socketPath, timeoutMs = 10_000 } = options;
  return Object.freeze<Collector>({
    name: 'simulated-sev-snp',
    tee: 'sev-snp',
    simulated: true,
    async detect() {
      const present = await acceptsConnections(socketPath, timeoutMs);
      return { present, detail: `simulated TEE ${present ? 'answers' : 'does not answer'} on ${socketPath}` };
    },
    async collect(reportData) {
      requireReportData('sev-snp', reportData);
      const line = JSON.stringify({ op: 'report', reportData: toHex(reportData) });
      return parseAnswer(await exchangeLine({ socketPath, line, timeoutMs, maxBytes: MAX_ANSWER }));
    },
  });
}

function parseAnswer(line: string): CollectedEvidence {
  const answer = parseJson(line);
  if (typeof answer !== 'object' || answer === null) throw new FastnessError('EVIDENCE_RESPONSE', 'Not an object.');
  if ('error' in answer) throw refusal(answer.error);
  if (!('evidence' in answer) || !('endorsements' in answer) || !Array.isArray(answer.endorsements)) {
    throw new FastnessError('EVIDENCE_RESPONSE', 'Evidence or endorsements are missing.');
  }
  if (answer.endorsements.length > MAX_ENDORSEMENTS)
    throw new FastnessError('EVIDENCE_RESPONSE', 'Too many endorsements.');
  const evidence = cmw(answer.evidence);
  // Whatever answers here, it must not be able to speak for hardware.
  if (evidence.type !== SIMULATED_SNP_EVIDENCE_TYPE) throw new FastnessError('EVIDENCE_NOT_SIMULATED', evidence.type);
  return { evidence, endorsements: answer.endorsements.map(cmw) };
}

function cmw(json: unknown): Cmw {
  try {
    return cmwFromJson(json);
  } catch (cause) {
    throw new FastnessError('EVIDENCE_RESPONSE', 'Not a conceptual message wrapper.', { cause });
  }
}

function refusal(problem: unknown): FastnessError {
  const cause = FastnessError.fromProblem(problem);
  return new FastnessError('EVIDENCE_REFUSED', cause?.code, { cause });
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new FastnessError('EVIDENCE_RESPONSE', 'Not JSON.', { cause });
  }
}
