import type { SnpProductName } from '@fastness/attest';
import { decodePem, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { HttpAnswer } from '../http/answer.ts';
import { under, withoutQuery } from '../http/url.ts';
import type { EndorsementRequest } from '../types.ts';
import { jsonObject } from '../unsigned.ts';
import { amdChainRequest, vcekRequest } from './certificates.ts';

/**
 * Azure's trusted hardware identity management, as a virtual machine sees it: `GET /metadata/THIM/amd/certification` with the
 * header `Metadata: true` answers with the VCEK of the machine and its chain. Plain http on a link-local address: whoever
 * answers, AMD's signatures decide, and the subjects are those of AMD's own service.
 */
const access = Object.freeze({
  maxBytes: 65_536,
  headers: Object.freeze({ metadata: 'true' }),
  plainHost: '169.254.169.254',
  url: ({ azureThim }: { readonly azureThim: string }) => under(azureThim, '/metadata/THIM/amd/certification'),
});

/** ASK and ARK. */
export function thimChainRequest({ product }: { readonly product: SnpProductName }): EndorsementRequest {
  return Object.freeze<EndorsementRequest>({
    ...amdChainRequest({ kind: 'vcek', product }),
    ...access,
    receive: (answer) => ({ body: utf8Encode(textOf(answer, 'certificateChain')), issuerChain: [] }),
  });
}

/** The VCEK of this machine; refused when it is not the one that was asked for. */
export function thimVcekRequest(options: {
  readonly product: SnpProductName;
  readonly hwid: string;
  readonly tcb: string;
}): EndorsementRequest {
  return Object.freeze<EndorsementRequest>({
    ...vcekRequest(options),
    ...access,
    receive: (answer) => {
      const [body] = derOf(answer, 'vcekCert', 1);
      return { body: body ?? new Uint8Array(0), issuerChain: derOf(answer, 'certificateChain', 2) };
    },
  });
}

function derOf(answer: HttpAnswer, member: string, maxBlocks: number): Uint8Array[] {
  const text = textOf(answer, member);
  try {
    return decodePem(text, 'CERTIFICATE', { maxBlocks });
  } catch (cause) {
    throw new FastnessError('ENDORSEMENT_RESPONSE', `${withoutQuery(answer.url)}: ${member} is not PEM.`, { cause });
  }
}

function textOf({ body, url }: HttpAnswer, member: string): string {
  const text = jsonObject(withoutQuery(url), body)[member];
  if (typeof text !== 'string') throw new FastnessError('ENDORSEMENT_RESPONSE', `${withoutQuery(url)}: no ${member}.`);
  return text;
}
