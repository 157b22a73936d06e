import { fromBase64Url } from '@fastness/codec';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { parseSpki, type KeyHolder } from '@fastness/codec/x509';
import { anyOf, type Checklist } from '../../checks.ts';
import { checkCmw, type Cmw } from '../../cmw.ts';
import { importCorim } from '../../corim/import.ts';
import type { CorimSections } from '../../corim/profiles/index.ts';
import type { VerificationMeans } from '../../means.ts';
import { SIGNED_CORIM_TYPE, UNSIGNED_CORIM_TYPE } from '../../media-types.ts';
import type { ArmKey, ArmReference } from '../../policy/arm.ts';

/** What is endorsed for one device, and by whom. */
export interface ArmEndorsement {
  readonly holder: KeyHolder;
  /** `policy`, or the SHA-256 of the SubjectPublicKeyInfo that signed the CoRIM, hex. */
  readonly endorser: string;
  /** Reference states of the implementation. */
  readonly references: readonly ArmReference[];
}

/** The device that a token names; nobody has vouched for it yet. */
export interface ArmIdentity {
  readonly instanceId: string;
  readonly implementationId: string;
}

interface ArmTrust {
  readonly keys?: readonly ArmKey[];
  readonly corimSigners?: readonly string[];
  readonly references?: readonly ArmReference[];
}

interface Endorsed {
  readonly endorser: string;
  readonly keys: readonly ArmKey[];
  readonly references: readonly ArmReference[];
}

const MAX_CORIMS = 8;

/** Types of the endorsements that may come with a token. The unsigned one is known so that it is refused by its own code. */
export const armEndorsementTypes = Object.freeze([SIGNED_CORIM_TYPE, UNSIGNED_CORIM_TYPE]);

/**
 * Finds the attestation key that is endorsed for a device: in the policy, and only for devices that are not there in the
 * CoRIMs that came along, each signed by one of the policy's signers (RFC 9783, section 8; draft-ietf-rats-corim, section
 * 5.1.10). Keys and reference states belong to the implementation that they were endorsed for.
 */
export async function findEndorsement(options: {
  readonly identity: ArmIdentity;
  readonly trust: ArmTrust;
  readonly endorsements: readonly Cmw[];
  /** Takes what the profile of this kind of device maps to; undefined for CoRIMs of another kind. */
  readonly select: (sections: CorimSections) => Pick<Endorsed, 'keys' | 'references'> | undefined;
  readonly codes: { readonly unknown: ErrorCode; readonly implementation: ErrorCode; readonly ambiguous: ErrorCode };
  readonly now: Date;
  readonly means: VerificationMeans;
  readonly checks: Checklist;
}): Promise<ArmEndorsement> {
  const { identity, trust, codes } = options;
  const checks: Checklist = options.checks;
  const { instanceId, implementationId } = identity;
  const policy: Endorsed = { endorser: 'policy', keys: trust.keys ?? [], references: trust.references ?? [] };
  const endorsed = [policy, ...(await openEndorsements(options))];

  const offers = endorsed.flatMap(({ endorser, keys }) =>
    keys.filter((key) => key.instanceId === instanceId).map((key) => ({ key, endorser })),
  );
  const inPolicy = offers.filter(({ endorser }) => endorser === policy.endorser);
  const candidates = inPolicy.length > 0 ? inPolicy : offers;
  checks.require(codes.unknown, candidates.length > 0, {
    expected: `a key for instance ${instanceId}`,
    actual: candidates.length > 0 ? `one by ${candidates[0]?.endorser ?? ''}` : 'none',
  });
  const [offer, ...others] = candidates.filter(({ key }) => key.implementationId === implementationId);
  checks.require(codes.implementation, offer !== undefined, {
    expected: anyOf(candidates.map(({ key }) => key.implementationId)),
    actual: implementationId,
  });
  const { publicKey } = offer.key;
  const one = others.every(({ key }) => key.publicKey === publicKey);
  checks.require(codes.ambiguous, one, { expected: 'one key', actual: one ? 'one key' : `${others.length + 1} keys` });

  const statesOf = ({ references }: Endorsed): readonly ArmReference[] =>
    references.filter((reference) => reference.implementationId === implementationId);
  const own = statesOf(policy);
  return {
    holder: parseSpki(fromBase64Url(publicKey)),
    endorser: offer.endorser,
    references: own.length > 0 ? own : endorsed.flatMap(statesOf),
  };
}

async function openEndorsements({
  endorsements,
  trust,
  select,
  now,
  means,
}: Pick<Parameters<typeof findEndorsement>[0], 'endorsements' | 'trust' | 'select' | 'now' | 'means'>): Promise<
  readonly Endorsed[]
> {
  if (endorsements.length > MAX_CORIMS) {
    throw new FastnessError('ATTEST_ENDORSEMENT_MALFORMED', `At most ${MAX_CORIMS} CoRIMs.`);
  }
  const signers = (trust.corimSigners ?? []).map((signer) => fromBase64Url(signer));
  const opened: Endorsed[] = [];
  for (const endorsement of endorsements) {
    const { type, value } = checkCmw(endorsement);
    if (!armEndorsementTypes.includes(type)) {
      throw new FastnessError('ATTEST_ENDORSEMENT_UNSUPPORTED', `Type ${type}.`);
    }
    const { endorser, sections } = await importCorim({ corim: value, signers, now, ...means });
    const selected = select(sections);
    if (selected === undefined) {
      throw new FastnessError('CORIM_PROFILE_UNEXPECTED', `Sections ${Object.keys(sections).join(', ')}.`);
    }
    opened.push({ endorser, keys: selected.keys, references: selected.references });
  }
  return opened;
}
