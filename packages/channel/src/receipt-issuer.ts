import { fromBase64Url, toBase64Url } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { OpenedRequest } from './open-request.ts';
import { signReceipt, type ReceiptKey } from './receipt.ts';
import type { GatewayResponse } from './seal-response.ts';
import { evidenceHeader, previousHeader, receiptTrailer } from './wire/media-types.ts';

/** Issues the receipts of one enclave under one receipt key. */
export interface ReceiptIssuer {
  /**
   * The receipt, COSE_Sign1. `evidenceDigest` stands in for the enclave's own when the client named one; `previous` is the
   * receipt before, when it named one.
   */
  readonly issue: (facts: {
    requestDigest: Uint8Array;
    responseDigest: Uint8Array;
    evidenceDigest?: Uint8Array;
    previous?: Uint8Array;
  }) => Promise<Uint8Array>;
  /**
   * The `trailers` of the response to `opened`: puts the receipt into the trailer field `fastness-receipt`, over the
   * evidence and the receipt before that its `fastness-evidence` and `fastness-previous` fields name. What the application left unread of the request is read
   * first, as the receipt states the whole.
   * @throws FastnessError `CHANNEL_HTTP_FIELD` at once for one of these fields that is no digest
   */
  readonly trailersFor: (opened: OpenedRequest) => NonNullable<GatewayResponse['trailers']>;
}

/**
 * @param options.evidenceDigest the enclave's own evidence, 32 bytes, for requests that name none
 * @param options.now the enclave's clock
 */
export function createReceiptIssuer(options: {
  receiptKey: ReceiptKey;
  releaseDigest: Uint8Array;
  keyConfigDigest: Uint8Array;
  evidenceDigest: Uint8Array;
  now: () => Date;
}): ReceiptIssuer {
  const { receiptKey, releaseDigest, keyConfigDigest, now } = options;
  let sequence = 0;
  const issue: ReceiptIssuer['issue'] = ({
    requestDigest,
    responseDigest,
    evidenceDigest = options.evidenceDigest,
    previous,
  }) => {
    sequence += 1;
    const digests = { requestDigest, responseDigest, releaseDigest, evidenceDigest, keyConfigDigest };
    const link = previous === undefined ? {} : { previous };
    return signReceipt({ claims: { ...digests, ...link, issuedAt: now(), sequence }, sign: receiptKey.sign });
  };
  return {
    issue,
    trailersFor: (opened) => {
      const { headers } = opened.request;
      const evidenceDigest = digestIn(headers, evidenceHeader);
      const previous = digestIn(headers, previousHeader);
      return async ({ responseDigest }) => {
        await opened.discardBody();
        const requestDigest = await opened.requestDigest;
        const receipt = await issue({
          requestDigest,
          responseDigest,
          ...(evidenceDigest === undefined ? {} : { evidenceDigest }),
          ...(previous === undefined ? {} : { previous }),
        });
        return { [receiptTrailer]: toBase64Url(receipt) };
      };
    },
  };
}

function digestIn(headers: Headers, name: string): Uint8Array | undefined {
  const text = headers.get(name);
  if (text === null) return undefined;
  const bytes = /^[A-Za-z0-9_-]{43}$/.test(text) ? fromBase64Url(text) : undefined;
  if (bytes?.length !== 32) throw new FastnessError('CHANNEL_HTTP_FIELD', `${name} is not a digest.`);
  return bytes;
}
