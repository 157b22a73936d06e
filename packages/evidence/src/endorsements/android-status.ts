import { ANDROID_STATUS_TYPE } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { under } from './http/url.ts';
import type { EndorsementRequest } from './types.ts';
import { jsonObject, unsignedRequest } from './unsigned.ts';

/** Google's list grows with every batch of leaked keys. */
const MAX_LIST = 8 << 20;

/** Which Android attestation keys are revoked or suspended. Google does not sign the list. */
export function androidStatusRequest(): EndorsementRequest {
  const subject = 'google/android-status';
  return unsignedRequest({
    subject,
    mediaType: ANDROID_STATUS_TYPE,
    maxBytes: MAX_LIST,
    url: ({ android }) => under(android, '/attestation/status'),
    check: (body) => {
      const { entries } = jsonObject(subject, body);
      if (typeof entries !== 'object' || entries === null) {
        throw new FastnessError('ENDORSEMENT_RESPONSE', `${subject}: no entries.`);
      }
    },
  });
}
