import {
  deviceEvidenceDigestOf,
  deviceNonceOf,
  EVIDENCE_COLLECTION_TYPE,
  reportDataFor,
  requireLabel,
  type Cmw,
  type CmwCollection,
  type SessionBinding,
} from '@fastness/attest';
import type { Collector } from './collector.ts';

/** What makes the evidence of one machine. */
export interface Machine {
  /** The root of trust: processor, or what stands for it. */
  readonly cpu: Collector;
  /** Attached devices by their label in the collection: gpu0, nvswitch0, tpm0, ... Absent: none. */
  readonly devices?: ReadonlyMap<string, Collector>;
}

/** Evidence of a machine: one record where there are no devices, a collection (RFC 9999) otherwise. Nothing of it was verified. */
export interface MachineEvidence {
  readonly evidence: Cmw | CmwCollection;
  readonly endorsements: Cmw[];
}

/** The label of the processor's record. */
const CPU_LABEL = 'cpu0';

/**
 * Collects evidence for one session. Devices come first, each with a nonce of its own; the digest of all their evidence goes
 * into what the processor vouches for, so that nobody can exchange, add or drop one afterwards. Throws what a collector
 * throws: evidence that lacks a device is never returned in its place.
 */
export async function collectSession(machine: Machine, session: SessionBinding): Promise<MachineEvidence> {
  const { cpu, devices = new Map<string, Collector>() } = machine;
  const collected = await Promise.all(
    [...devices].map(async ([label, device]) => {
      requireLabel(label, device.tee);
      return [label, await device.collect(await deviceNonceOf(session, label))] as const;
    }),
  );
  const records = new Map(collected.map(([label, { evidence }]) => [label, evidence]));
  const deviceEvidenceDigest = await deviceEvidenceDigestOf(records);
  const own = await cpu.collect(await reportDataFor(cpu.tee, { ...session, deviceEvidenceDigest }));
  return {
    evidence:
      records.size === 0
        ? own.evidence
        : { type: EVIDENCE_COLLECTION_TYPE, records: new Map([[CPU_LABEL, own.evidence], ...records]) },
    endorsements: [...own.endorsements, ...collected.flatMap(([, { endorsements }]) => endorsements)],
  };
}
