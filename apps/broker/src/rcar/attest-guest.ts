import {
  releasedMeasurements,
  verifyEvidence,
  withMeasurements,
  type AttestationVerdict,
  type Cmw,
} from '@fastness/attest';
import { fromBase64 } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import type { RefusalTrail } from '../authorise.ts';
import type { BrokerContext } from '../context.ts';
import { platformOf } from '../platform.ts';
import { readGuestEvidence, refuseAdditionalEvidence } from './evidence.ts';
import { boundReportData, guestKeySchema, readGuestKey } from './guest-key.ts';
import { checkInitData, initDataSchema } from './init-data.ts';
import { registeredMeasurements } from './resources.ts';
import type { RcarSession } from './sessions.ts';
import { issueToken } from './token.ts';

/** Body of `POST /kbs/v0/attest`. */
export const attestationSchema = z.strictObject({
  'init-data': initDataSchema.nullish(),
  'runtime-data': z.strictObject({ nonce: z.string().max(128), 'tee-pubkey': guestKeySchema }),
  'tee-evidence': z.strictObject({
    primary_evidence: z.unknown(),
    additional_evidence: z.string().max(1 << 20),
  }),
});
export type GuestAttestation = z.infer<typeof attestationSchema>;

/**
 * Verifies what a guest answers to its session's nonce and returns its token. Evidence is judged by the broker's policy, with
 * the measurements that some resource is registered for; it must be bound to nonce and key, and init data to it.
 * `trail` collects what was learned on the way. Throws `RCAR_` codes and whatever the verification throws.
 */
export async function attestGuest(
  context: BrokerContext,
  options: {
    readonly session: RcarSession;
    readonly request: GuestAttestation;
    readonly tokenSeconds: number;
    readonly trail: RefusalTrail;
  },
): Promise<string> {
  const { session, request, tokenSeconds, trail } = options;
  const { tee } = session;
  const { nonce, 'tee-pubkey': key } = request['runtime-data'];
  const { primary_evidence: primary, additional_evidence: additionalEvidence } = request['tee-evidence'];
  trail.tee = tee;
  if (nonce !== session.nonce) throw new FastnessError('RCAR_NONCE_MISMATCH');
  readGuestKey(key);
  refuseAdditionalEvidence(additionalEvidence);
  const { evidence, endorsements } = readGuestEvidence(tee, primary, context.policy.policy.attestation);
  const verdict = await verifyGuest(context, session, { evidence, endorsements }, { nonce, key, additionalEvidence });
  const { claims } = verdict;
  trail.simulated = claims.simulated;
  trail.measurement = claims.measurement;
  trail.platform = platformOf(claims);
  const initData = request['init-data'];
  if (initData !== undefined && initData !== null) checkInitData(initData, claims);
  return await issueToken(context, { verdict, evidence, key, nonce: fromBase64(nonce), seconds: tokenSeconds });
}

async function verifyGuest(
  context: BrokerContext,
  { tee }: RcarSession,
  given: { readonly evidence: Cmw; readonly endorsements: readonly Cmw[] },
  bound: Parameters<typeof boundReportData>[0],
): Promise<AttestationVerdict> {
  const { policy, anchors, completeEndorsements } = context;
  const { attestation } = policy.policy;
  const now = context.now();
  const registered = await registeredMeasurements(context.db, tee);
  const measurements = releasedMeasurements(attestation, tee, registered);
  if (measurements.length === 0) throw new FastnessError('RCAR_NOTHING_REGISTERED');
  const { evidence, endorsements } = given;
  return await verifyEvidence({
    evidence,
    endorsements: [
      ...(completeEndorsements === undefined ? endorsements : await completeEndorsements(evidence, endorsements, now)),
    ],
    policy: withMeasurements(attestation, measurements, tee),
    anchors,
    expectedReportData: boundReportData(bound),
    now,
  });
}
