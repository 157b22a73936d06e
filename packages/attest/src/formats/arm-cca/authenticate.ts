import { equalBytes, toHex } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import type { KeyHolder } from '@fastness/codec/x509';
import { Checklist } from '../../checks.ts';
import type { Cmw } from '../../cmw.ts';
import { keyFits, sign1Holds } from '../../cose-signatures.ts';
import { evidenceVerifier, type VerificationMeans } from '../../means.ts';
import { parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { requireTime } from '../../time.ts';
import { findEndorsement } from '../arm/endorsements.ts';
import type { ArmMessage } from '../arm/message.ts';
import { digestWith } from './hashes.ts';
import { AuthenticToken, ParsedToken } from './stages.ts';

/**
 * Establishes that the platform which the token names vouches for the realm: the key of the platform (CPAK), looked up by
 * instance id and implementation id in the policy or in signed CoRIMs, signed the platform token; its challenge is the hash of
 * the realm's key (draft-ffm-rats-cca-token, section 4.10); and that key (RAK) signed the realm token. Without the binding a
 * realm token proves nothing: its key comes with it.
 *
 * There is no vendor root: who may endorse platforms is the policy's decision. A CoRIM that comes with the evidence endorses
 * platforms alone, never realms; what may run in a realm is for the policy to say.
 *
 * Throws the CCA_ code of the first check that fails, CORIM_... for an endorsement that is not acceptable, X509_KEY,
 * ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID, ATTEST_TEE_NOT_ALLOWED, ATTEST_ENDORSEMENT_UNSUPPORTED.
 */
export async function authenticate(
  parsed: ParsedToken,
  options: VerificationMeans & {
    readonly policy: AttestationPolicy;
    readonly endorsements: readonly Cmw[];
    readonly now: Date;
  },
): Promise<AuthenticToken> {
  const messages = ParsedToken.messagesOf(parsed);
  const policy = parseAttestationPolicy(options.policy);
  const now = requireTime(options.now);
  const { platform, realm } = parsed;
  const checks: Checklist = new Checklist(policy.waivers, { checks: parsed.checks, waivers: [] });

  const { holder, endorser, references } = await findEndorsement({
    identity: platform,
    trust: sectionOf(policy, 'armCca'),
    endorsements: options.endorsements,
    select: ({ armCca }) => (armCca !== undefined && 'keys' in armCca ? armCca : undefined),
    codes: {
      unknown: 'CCA_KEY_UNKNOWN',
      implementation: 'CCA_IMPLEMENTATION_MISMATCH',
      ambiguous: 'CCA_KEY_AMBIGUOUS',
    },
    now,
    means: options,
    checks,
  });
  await requireSigned(messages.platform, holder, ['CCA_KEY_TYPE', 'CCA_PLATFORM_SIGNATURE'], options, checks);

  const bound = await digestWith(realm.publicKeyHash, realm.publicKey);
  checks.require('CCA_BINDING', equalBytes(platform.challenge, bound), {
    expected: toHex(bound),
    actual: toHex(platform.challenge),
  });
  await requireSigned(messages.realm, realm.holder, ['CCA_RAK_TYPE', 'CCA_REALM_SIGNATURE'], options, checks);
  return new AuthenticToken({ platform, realm, endorser, references, at: now.getTime(), ...checks.results() });
}

async function requireSigned(
  { sign1, signature }: ArmMessage,
  holder: KeyHolder,
  [unfit, unsigned]: readonly [ErrorCode, ErrorCode],
  means: VerificationMeans,
  checks: Checklist,
): Promise<void> {
  const { publicKey } = holder;
  checks.require(unfit, keyFits(holder, signature), {
    expected: `${signature.curve ?? ''} for ${signature.name}`,
    actual: publicKey.algorithm === 'EC' ? publicKey.curve : publicKey.algorithm,
  });
  const holds = await sign1Holds(sign1, holder, signature, evidenceVerifier(means));
  checks.require(unsigned, holds, { expected: 'signed by this key', actual: holds ? 'it is' : 'it is not' });
}
