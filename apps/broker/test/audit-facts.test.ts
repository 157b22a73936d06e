import { randomBytes } from 'node:crypto';
import type { FastnessError } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { auditGenesis, encodeAuditEntry } from '../src/audit/entry.ts';
import { auditFacts, isAuditKind, type AuditFacts, type AuditKind } from '../src/audit/facts.ts';
import { errorOf } from './temporary.ts';

const hash = 'a'.repeat(64);
const measurement = 'b'.repeat(96);
const leaseId = 'c'.repeat(32);
const time = '2026-11-23T12:00:00.000Z';
const enclave = { tee: 'sev-snp', simulated: true, measurement, platform: `chip-id:${'d'.repeat(128)}` };

/** One example of every kind. */
const examples: { [K in AuditKind]: AuditFacts<K> } = {
  start: {
    brokerKey: hash,
    policyId: 'p',
    policyDigest: hash,
    keyStore: 'software',
    hardwareKeyStore: false,
    simulatedTeeAllowed: true,
  },
  stop: {},
  'policy-configured': { policyId: 'p', from: hash, to: hash },
  'approval-seen': { releaseDigest: hash, modelId: 'm', version: 1, approver: 'a', approvalDigest: hash },
  'log-recovered': { droppedBytes: 7 },
  'entries-suppressed': { refused: 1, adminAuthFailures: 2, since: time },
  'release-registered': {
    releaseDigest: hash,
    modelId: 'm',
    version: 1,
    ownerKey: hash,
    approvedBy: ['a'],
    wrappingKey: 'kek',
    wrappingKeyVersion: 1,
  },
  'resource-registered': { resource: 'a/b/c', guests: 1, wrappingKey: 'kek', wrappingKeyVersion: 1 },
  'resource-removed': { resource: 'a/b/c' },
  'resource-released': {
    resource: 'a/b/c',
    ...enclave,
    simulated: false,
    guestKey: hash,
    token: leaseId,
    policyId: 'p',
    waivers: ['SNP_DEBUG_ALLOWED'],
  },
  'resource-withheld': { resource: 'a/b/c', token: leaseId, code: 'BROKER_KEY_STORE' },
  refused: { operation: 'key-release', code: 'BROKER_NONCE_REUSED', releaseDigest: hash, leaseId, ...enclave },
  'key-released': {
    releaseDigest: hash,
    modelId: 'm',
    version: 1,
    leaseId,
    leaseExpires: time,
    keyConfigDigest: hash,
    policyId: 'p',
    waivers: [],
    ...enclave,
  },
  'key-withheld': { leaseId, releaseDigest: hash, code: 'BROKER_KEY_STORE' },
  'not-committed': { entry: 4, code: 'BROKER_STORE' },
  'lease-renewed': { releaseDigest: hash, leaseId, leaseExpires: time, renewals: 1, waivers: [], ...enclave },
  revocation: { target: 'release', value: hash, reason: 'Key lost; see ticket 12.', runningLeases: 0 },
  'admin-auth-failure': { route: 'audit', presented: 'wrong-token' },
  'wrapping-key-minimum': { wrappingKey: 'kek', minimumVersion: 2 },
  'wrapping-key-state': {
    wrappingKey: 'kek',
    state: 'destruction-scheduled',
    destroyAt: time,
    runningLeases: 1,
    proposal: leaseId,
  },
  'rotation-begun': { wrappingKey: 'kek', version: 2 },
  'rotation-finished': { wrappingKey: 'kek', version: 2, rewrapped: 3 },
  rewrapped: { releaseDigest: hash, wrappingKey: 'kek', wrappingKeyVersion: 2 },
  'policy-changed': {
    generation: 1,
    policyId: 'p',
    policyDigest: hash,
    simulatedTeeAllowed: false,
    proposal: leaseId,
  },
  'proposal-created': { proposal: leaseId, action: 'release', proposalDigest: hash, expires: time },
  'proposal-approved': { proposal: leaseId, member: 'alice', key: hash, approvals: 1 },
  'proposal-executing': { proposal: leaseId },
  'proposal-ended': { proposal: leaseId, state: 'failed', code: 'BROKER_VERSION_ROLLBACK' },
  'quorum-changed': { generation: 1, membershipDigest: hash, members: 3, threshold: 2, proposal: leaseId },
};
const kinds = Object.keys(examples).filter(isAuditKind);

function write(kind: AuditKind, facts: unknown): string {
  // What a caller does who got around the type checker.
  const untyped: (...parameters: never[]) => { line: string } = encodeAuditEntry;
  return Reflect.apply(untyped, undefined, [auditGenesis, new Date(time), kind, facts]).line;
}

const refusal = (kind: AuditKind, facts: unknown): FastnessError => errorOf(() => write(kind, facts));

describe('audit facts', () => {
  it('has an example of every kind', () => {
    expect(Object.keys(auditFacts).sort()).toEqual([...kinds].sort());
    for (const kind of kinds) expect(write(kind, examples[kind])).toContain(kind);
  });

  it('takes no member that a schema does not name, and tells nothing of what it held', () => {
    const secret = randomBytes(32).toString('base64url');
    for (const kind of kinds) {
      const error = refusal(kind, { ...examples[kind], [secret]: 1, note: secret });
      expect(error.code).toBe('AUDIT_FACTS_REFUSED');
      expect(error.message).not.toContain(secret);
    }
  });

  it('takes no bytes, no base64url and no text of any length anywhere but in the reason of a revocation', () => {
    const bytes = randomBytes(32);
    // Spelt so that a digest's alphabet cannot be met by chance.
    const texts = [
      `${bytes.toString('base64url')}_`,
      bytes.toString('base64'),
      bytes.toString('hex').toUpperCase(),
      'x'.repeat(2000),
      'two\nlines',
    ];
    for (const kind of kinds) {
      for (const [member, value] of Object.entries(examples[kind])) {
        for (const intruder of [bytes, new Uint8Array(bytes), { nested: 'x' }, [bytes], Number.NaN, ...texts]) {
          const facts = { ...examples[kind], [member]: intruder };
          if (kind === 'revocation' && (member === 'reason' || member === 'value')) continue;
          if (
            typeof intruder === 'string' &&
            isName(kind, member) &&
            intruder.length < 100 &&
            !/[\n=/+]/.test(intruder)
          )
            continue;
          expect(refusal(kind, facts).code, `${kind}.${member} = ${typeof value}`).toBe('AUDIT_FACTS_REFUSED');
        }
      }
    }
  });

  it('keeps control characters and other lines out of the reason', () => {
    for (const reason of ['', 'a\nb', 'a\u0000', 'a\u2028b', 'x'.repeat(501), '\ud800']) {
      expect(refusal('revocation', { ...examples.revocation, reason }).code).toBe('AUDIT_FACTS_REFUSED');
    }
  });
});

/** Members that hold identifiers: short, of a closed alphabet, and set by the broker's own tables or verified documents. */
function isName(kind: AuditKind, member: string): boolean {
  const shape: Record<string, z.ZodType> = auditFacts[kind].shape;
  return shape[member]?.safeParse('some-name').success === true;
}
