import { equalBytes } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { deviceEvidenceDigestOf, deviceNonceOf } from './binding.ts';
import { Checklist, checksOf, withChecks, type CheckRecord } from './checks.ts';
import type { Cmw } from './cmw.ts';
import { checkCmwCollection, EVIDENCE_COLLECTION_TYPE, isCmwCollection, type CmwCollection } from './cmw-collection.ts';
import { requireDevices } from './devices.ts';
import type { EvidenceFormat, VerifySessionOptions } from './formats/format.ts';
import { requireLabel, roleOf } from './roles.ts';
import type { AttestationVerdict, CompositeVerdict } from './verdict.ts';
import { copyOf, formatOf, requireEndorsements, requireSection, verifyOne } from './verify-one.ts';
import type { AppliedWaiver } from './waivers.ts';

/** One record of the collection and the verifier of its type. */
interface Part {
  readonly label: string;
  readonly record: Cmw;
  readonly format: EvidenceFormat;
}

type Options = VerifySessionOptions & { readonly evidence: CmwCollection };

/**
 * Verifies a collection: what is in it, then the processor, then each device in the order of the labels. The first thing that
 * is wrong is thrown; its detail names the part. Called by `verifyEvidence`, which has checked the arguments.
 */
export async function verifyComposite(options: Options): Promise<CompositeVerdict> {
  const { policy, session } = options;
  const parts = partsOf(options.evidence);
  const cpu = requireOneCpu(parts);
  for (const { label, format } of parts) requireLabel(label, format.tee);
  const devices = parts.filter((part) => part !== cpu);
  const before: CheckRecord[] = [
    ...requireDevices(
      policy,
      devices.map(({ format }) => format.tee),
    ),
    ...requireDistinctEvidence(devices),
  ];
  requireEndorsements(
    options.endorsements,
    parts.map(({ format }) => format),
  );
  for (const { format } of parts) requireSection(policy, format);
  const endorsements = options.endorsements.map(copyOf);

  // From here on only the copies are looked at, so what is digested is what is verified.
  const digest = await deviceEvidenceDigestOf(new Map(devices.map(({ label, record }) => [label, record])));
  const verdicts = new Map<string, AttestationVerdict>();
  for (const part of [cpu, ...devices]) {
    const bound =
      part === cpu ? { ...session, deviceEvidenceDigest: digest } : await deviceNonceOf(session, part.label);
    const own = endorsements.filter(({ type }) => part.format.endorsementTypes.includes(type));
    try {
      const verdict = await verifyOne({ ...options, evidence: part.record, endorsements: own }, bound);
      verdicts.set(part.label, verdict);
      before.push(...verdict.checks.map((check) => named(check, part.label)));
    } catch (error) {
      throw inPart(error, part.label, before);
    }
  }
  before.push(...requireDistinctIdentities(devices, verdicts, before));
  return compositeOf(cpu.label, verdicts, before);
}

/**
 * The evidence of the processor: that of a collection, or the one piece there is. For those who must know what it is before
 * it is verified, for instance to choose the measurements that a release lists for it.
 * Throws ATTEST_CPU_NOT_ONE, ATTEST_EVIDENCE_UNSUPPORTED and errors of the envelopes.
 */
export function processorEvidenceOf(evidence: Cmw | CmwCollection): Cmw {
  if (!isCmwCollection(evidence)) return evidence;
  return requireOneCpu(partsOf(evidence)).record;
}

/** Private copies in the order of their labels, each with its verifier. */
function partsOf(collection: CmwCollection): Part[] {
  const { type, records } = checkCmwCollection(collection);
  if (type !== EVIDENCE_COLLECTION_TYPE)
    throw new FastnessError('ATTEST_COLLECTION_UNSUPPORTED', type === undefined ? 'It has no type.' : `Type ${type}.`);
  const parts = [...records].map(([label, record]) => ({ label, record: copyOf(record), format: formatOf(record) }));
  return parts.toSorted((left, right) => (left.label < right.label ? -1 : 1));
}

/** Two processors would leave open which one runs the software, and which one's report data counts. */
function requireOneCpu(parts: readonly Part[]): Part {
  const cpus = parts.filter(({ format }) => roleOf(format.tee).role === 'cpu');
  const [cpu] = cpus;
  if (cpu === undefined || cpus.length > 1)
    throw new FastnessError('ATTEST_CPU_NOT_ONE', `${cpus.length} in the collection.`);
  return cpu;
}

/** The same evidence under two labels is one device, whatever its nonce says. */
function requireDistinctEvidence(devices: readonly Part[]): readonly CheckRecord[] {
  const checks: Checklist = new Checklist([]);
  const twice = devices.find(({ record }, index) =>
    devices.slice(0, index).some((other) => equalBytes(other.record.value, record.value)),
  );
  checks.require('ATTEST_DEVICE_EVIDENCE_REPEATED', twice === undefined, {
    expected: 'evidence of its own for every device',
    actual: twice === undefined ? 'distinct' : `${twice.label} repeats another`,
  });
  return checks.results().checks;
}

function requireDistinctIdentities(
  devices: readonly Part[],
  verdicts: ReadonlyMap<string, AttestationVerdict>,
  before: readonly CheckRecord[],
): readonly CheckRecord[] {
  const checks: Checklist = new Checklist([], { checks: before, waivers: [] });
  const seen = new Map<string, string>();
  for (const { label } of devices) {
    const claims = verdicts.get(label)?.claims;
    if (claims === undefined) continue;
    const identity = `${claims.tee} ${claims.identity.kind} ${claims.identity.value}`;
    const other = seen.get(identity);
    checks.require('ATTEST_DEVICE_IDENTITY_REPEATED', other === undefined, {
      expected: `${label} a device of its own`,
      actual: other === undefined ? identity : `the ${claims.identity.kind} of ${other}`,
    });
    seen.set(identity, label);
  }
  return checks.results().checks.slice(before.length);
}

function named(check: CheckRecord, part: string): CheckRecord {
  return Object.freeze({ ...check, part });
}

/** The same error, whose detail and records name the part. */
function inPart(error: unknown, part: string, before: readonly CheckRecord[]): unknown {
  if (!(error instanceof FastnessError)) return error;
  const own = checksOf(error);
  const told = new FastnessError(error.code, `${part}: ${error.detail ?? 'no detail.'}`, { cause: error });
  return withChecks(told, {
    before: [...before, ...(own?.before ?? []).map((check) => named(check, part))],
    ...(own?.failed === undefined ? {} : { failed: { ...own.failed, part } }),
  });
}

function compositeOf(
  cpu: string,
  verdicts: ReadonlyMap<string, AttestationVerdict>,
  checks: readonly CheckRecord[],
): CompositeVerdict {
  const main = verdicts.get(cpu);
  if (main === undefined) throw new FastnessError('ATTEST_CPU_NOT_ONE');
  const waivers = [...verdicts].flatMap(([part, verdict]) =>
    verdict.waivers.map((waiver): AppliedWaiver => Object.freeze({ ...waiver, part })),
  );
  return Object.freeze({
    claims: main.claims,
    waivers: Object.freeze(waivers),
    checks: Object.freeze([...checks]),
    policyId: main.policyId,
    parts: Object.freeze(Object.fromEntries(verdicts)),
  });
}
