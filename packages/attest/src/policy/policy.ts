import { FastnessError } from '@fastness/codec/errors';
import * as z from 'zod';
import { CMW_MAX_RECORDS } from '../cmw-collection.ts';
import { deviceKinds } from '../roles.ts';
import { policySectionNames, policySections } from './sections.ts';
import { policySectionOf, type PolicySectionName, type Tee } from '../tees.ts';
import { waivableChecks, waivableChecksOf } from '../waivers.ts';

const hex32 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 32 bytes in lower-case hex');

const simulatedSchema = z
  .strictObject({
    arkSpkiSha256: hex32.describe(
      'SHA-256 of the SubjectPublicKeyInfo of the one simulated root that is accepted, lower-case hex.',
    ),
  })
  .describe('Accepts evidence of the simulated TEE under this root. For development: no hardware protects anything.');

const waiverSchema = z
  .strictObject({
    check: z.enum(waivableChecks).describe('The code of the check to waive.'),
    reason: z.string().min(1).max(500).describe('Why; shown to everyone who reads the attestation result.'),
  })
  .describe('A check that may fail. Every waiver that was needed ends up in the result.');

const deviceCount = z.int().min(0).max(CMW_MAX_RECORDS);
const devicesSchema = z
  .array(
    z
      .strictObject({
        kind: z.enum(deviceKinds).describe('The kind of device; the section of its name says what it must look like.'),
        minimum: deviceCount.describe('How many there must be at least. 0: it may be absent.'),
        maximum: deviceCount
          .min(1)
          .exactOptional()
          .describe('How many there may be at most. Absent: as many as `minimum`.'),
      })
      .refine(({ minimum, maximum = minimum }) => maximum >= Math.max(minimum, 1), 'no number of devices fits'),
  )
  .min(1)
  .max(deviceKinds.length)
  .refine((list) => new Set(list.map(({ kind }) => kind)).size === list.length, 'a kind is listed twice')
  .describe('Devices whose evidence comes in one collection with that of the processor.');

const policyObject = z.strictObject({
  version: z.literal(1).describe('Version of this schema.'),
  id: z.string().min(1).max(128).describe('Name of the policy, as it appears in attestation results.'),
  ...policySections,
  devices: devicesSchema
    .exactOptional()
    .describe(
      'Devices that must or may be part of the evidence; a kind that is not listed is refused. Absent: none, and a collection with devices is refused.',
    ),
  simulated: simulatedSchema.exactOptional().describe('Absent: evidence of the simulated TEE is refused.'),
  waivers: z
    .array(waiverSchema)
    .max(waivableChecks.length)
    .refine(
      (waivers) => new Set(waivers.map((waiver) => waiver.check)).size === waivers.length,
      'a check is waived twice',
    )
    .describe('Checks waived by name. Empty: none.'),
});

/**
 * What evidence must look like to be accepted. Unknown fields are refused, so that a misspelt restriction cannot pass for
 * one. What an absent field means is said at the field. There is a section for each kind of TEE: evidence of a kind without a
 * section is refused, and a policy without any section is no policy.
 */
export const attestationPolicySchema = policyObject.refine(
  (policy) => policySectionNames.some((name) => policy[name] !== undefined),
  `no section for any TEE (${policySectionNames.join(', ')})`,
);

export type AttestationPolicy = z.infer<typeof attestationPolicySchema>;

/**
 * Reads a policy from JSON-like data. The result is a frozen copy: what was checked cannot change later.
 * Throws ATTEST_POLICY_INVALID, naming the fields at fault.
 */
export function parseAttestationPolicy(value: unknown): AttestationPolicy {
  const known = typeof value === 'object' && value !== null ? parsed.get(value) : undefined;
  if (known !== undefined) return known;
  const result = attestationPolicySchema.safeParse(value);
  if (!result.success) {
    const faults = result.error.issues
      .slice(0, 5)
      .map((issue) => `${issue.path.join('.') || 'policy'}: ${waiverFault(value, issue.path) ?? issue.message}`);
    throw new FastnessError('ATTEST_POLICY_INVALID', faults.join('; '));
  }
  const policy = deepFreeze(result.data);
  parsed.set(policy, policy);
  return policy;
}

/** For a waiver of a check that cannot be waived: those that can, of the kinds of evidence that the policy speaks of. */
function waiverFault(policy: unknown, [list, index, member]: readonly PropertyKey[]): string | undefined {
  if (list !== 'waivers' || typeof index !== 'number' || member !== 'check') return undefined;
  const waiver = memberOf(memberOf(policy, 'waivers'), index);
  const check = memberOf(waiver, 'check');
  const what = typeof check === 'string' ? `${check.slice(0, 64)} is no check that can be waived` : 'expected a check';
  const sections = policySectionNames.filter((name) => memberOf(policy, name) !== undefined);
  const lists = sections.map((name) => {
    const checks = waivableChecksOf[name];
    return `${checks.length === 0 ? 'none' : checks.join(', ')} for ${name}`;
  });
  return `${what}; these can: ${lists.length === 0 ? 'those of its sections, and it has none' : lists.join('; ')}`;
}

function memberOf(value: unknown, name: string | number): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

/** The section that speaks for a TEE. Throws ATTEST_TEE_NOT_ALLOWED when the policy has none. */
export function sectionOf<Name extends PolicySectionName>(
  policy: AttestationPolicy,
  name: Name,
): NonNullable<AttestationPolicy[Name]> {
  const section = policy[name];
  if (section === undefined) {
    throw new FastnessError('ATTEST_TEE_NOT_ALLOWED', `Policy ${policy.id} has no section ${name}.`);
  }
  return section;
}

/** The measurements of a section, once they were filled in. Throws ATTEST_POLICY_INCOMPLETE for those of a release to come. */
export function filledIn<Measurements extends readonly string[] | undefined>(
  { id }: AttestationPolicy,
  measurements: Measurements | 'from-release',
): Measurements {
  if (measurements === 'from-release') throw new FastnessError('ATTEST_POLICY_INCOMPLETE', `Policy ${id}.`);
  return measurements;
}

/**
 * The measurements that evidence of a TEE may have under a verified release: those the release lists for it, narrowed by the
 * policy's own list where it has one (it never adds to the release). Each once; none when nothing is left.
 * Throws ATTEST_TEE_NOT_ALLOWED.
 */
export function releasedMeasurements(policy: AttestationPolicy, tee: Tee, released: readonly string[]): string[] {
  const section = sectionOf(policy, policySectionOf[tee]);
  // A section that lists none narrows nothing: what the release lists is what counts.
  const own = 'measurements' in section ? (section.measurements ?? 'from-release') : 'from-release';
  const accepted = own === 'from-release' ? released : released.filter((value) => own.includes(value));
  return [...new Set(accepted)];
}

/**
 * The policy with the measurements of a verified release in the section for `tee`, in place of 'from-release' (or of those
 * it listed: the caller narrows them). Sections for other TEEs stay as they are, so evidence of another TEE gains nothing.
 * `measurements`: lower-case hex; for sev-snp SHA-384 launch measurements, for others see the section.
 * Throws ATTEST_POLICY_INVALID, ATTEST_TEE_NOT_ALLOWED when the policy has no section for the TEE.
 */
export function withMeasurements(
  policy: AttestationPolicy,
  measurements: readonly string[],
  tee: Tee = 'sev-snp',
): AttestationPolicy {
  const name = policySectionOf[tee];
  return parseAttestationPolicy({
    ...policy,
    [name]: { ...sectionOf(policy, name), measurements: [...measurements] },
  });
}

/** Policies that this module parsed and froze. They need not be parsed again. */
const parsed = new WeakMap<object, AttestationPolicy>();

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) deepFreeze(member);
    Object.freeze(value);
  }
  return value;
}
