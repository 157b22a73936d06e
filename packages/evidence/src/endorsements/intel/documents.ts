import { readSignedDocument, qeIdentitySchema, tcbInfoSchema } from '@fastness/attest/formats/dcap';
import { encodePem, plainBytes, utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { importSpki } from '@fastness/codec/x509';
import * as z from 'zod';
import { under } from '../http/url.ts';
import { earliest, readable, readChain, requireSame, verifyUpToPin, vouched } from '../judge.ts';
import { DAILY, type EndorsementRequest, type JudgeOptions, type Judgement, type Received } from '../types.ts';
import { issuerChainOf } from './issuer-chain.ts';

/**
 * Signed documents of Intel's PCS, API version 4: what TCB levels mean, which quoting enclaves are Intel's, and which TCB
 * recoveries there are. They are kept as the text that was sent, since Intel signs the text.
 */

export type IntelTee = 'sgx' | 'tdx';

/**
 * Which TCB recovery a document is of: `standard` (the default of Intel's service) leaves platform owners a year to
 * update, `early` reports a new recovery at once, a number asks for that very one.
 */
export type IntelUpdate = 'early' | 'standard' | number;

const MAX_DOCUMENT = 262_144;
const SIGNER = 'Intel SGX TCB Signing';
const evaluationNumbersSchema = z.object({
  id: z.string(),
  version: z.int(),
  issueDate: z.iso.datetime().transform((value) => new Date(value)),
  nextUpdate: z.iso.datetime().transform((value) => new Date(value)),
  tcbEvalNumbers: z
    .array(z.object({ tcbEvaluationDataNumber: z.int().min(0), tcbRecoveryEventDate: z.string(), tcbDate: z.string() }))
    .max(256),
});
/** Numbers of the TCB recoveries that Intel supports, with their dates. */
export type EvaluationNumbers = z.infer<typeof evaluationNumbersSchema>;

const chainHeaders = Object.freeze({
  tcbInfo: ['TCB-Info-Issuer-Chain', 'SGX-TCB-Info-Issuer-Chain'],
  enclaveIdentity: ['SGX-Enclave-Identity-Issuer-Chain'],
  tcbEvaluationDataNumbers: ['TCB-Evaluation-Data-Numbers-Issuer-Chain'],
});
type Member = keyof typeof chainHeaders;

/** TCB info of one kind of platform. `fmspc`: 12 hex digits. */
export function tcbInfoRequest(options: {
  readonly tee: IntelTee;
  readonly fmspc: string;
  readonly update?: IntelUpdate;
}): EndorsementRequest {
  const { tee, fmspc, update = 'standard' } = options;
  const subject = `intel/tcb-info/${tee}/${fmspc}/${update}`;
  return document(
    subject,
    `/${tee}/certification/v4/tcb`,
    { fmspc, ...queryOf(update) },
    'tcbInfo',
    async (item, judge) => {
      const { content, expires } = await read(subject, item, 'tcbInfo', tcbInfoSchema, judge);
      requireSame('TCB info of', tee.toUpperCase(), content.id);
      requireSame('TCB info of FMSPC', fmspc, content.fmspc);
      requireNumber(update, content.tcbEvaluationDataNumber);
      return { issued: content.issueDate, expires, number: BigInt(content.tcbEvaluationDataNumber) };
    },
  );
}

/** The identity of the quoting enclave: the QE of SGX, the TD QE of TDX. */
export function qeIdentityRequest(options: {
  readonly tee: IntelTee;
  readonly update?: IntelUpdate;
}): EndorsementRequest {
  const { tee, update = 'standard' } = options;
  const subject = `intel/qe-identity/${tee}/${update}`;
  const path = `/${tee}/certification/v4/qe/identity`;
  return document(subject, path, queryOf(update), 'enclaveIdentity', async (item, judge) => {
    const { content, expires } = await read(subject, item, 'enclaveIdentity', qeIdentitySchema, judge);
    requireSame('Identity of', tee === 'sgx' ? 'QE' : 'TD_QE', content.id);
    requireNumber(update, content.tcbEvaluationDataNumber);
    return { issued: content.issueDate, expires, number: BigInt(content.tcbEvaluationDataNumber) };
  });
}

/** Which TCB recoveries there are, for choosing a floor; no verifier needs it. */
export function evaluationNumbersRequest({ tee }: { readonly tee: IntelTee }): EndorsementRequest {
  const subject = `intel/tcb-evaluation-numbers/${tee}`;
  const path = `/${tee}/certification/v4/tcbevaluationdatanumbers`;
  return document(subject, path, {}, 'tcbEvaluationDataNumbers', async (item, judge) => {
    const { content, expires } = await read(subject, item, 'tcbEvaluationDataNumbers', evaluationNumbersSchema, judge);
    requireSame('Numbers of', tee.toUpperCase(), content.id);
    return { issued: content.issueDate, expires };
  });
}

/** Reads an answer that was judged. Throws DCAP_COLLATERAL_MALFORMED. */
export function readEvaluationNumbers(item: Received): EvaluationNumbers {
  const chain = item.issuerChain.map((der) => encodePem(der, 'CERTIFICATE')).join('');
  return readSignedDocument(utf8Decode(item.body), 'tcbEvaluationDataNumbers', evaluationNumbersSchema, chain).content;
}

function document(
  subject: string,
  path: string,
  query: Readonly<Record<string, string>>,
  member: Member,
  judge: EndorsementRequest['judge'],
): EndorsementRequest {
  return Object.freeze<EndorsementRequest>({
    subject,
    mediaType: 'application/json',
    signed: true,
    replaceable: false,
    refreshAfterMs: DAILY,
    maxBytes: MAX_DOCUMENT,
    url: ({ intel }) => under(intel, path, query),
    receive: (answer) => ({ body: answer.body, issuerChain: issuerChainOf(answer, chainHeaders[member]) }),
    judge,
  });
}

interface Content {
  readonly issueDate: Date;
  readonly nextUpdate: Date;
}

/** Signature of the signer over the text, and of the pinned root over the signer. */
async function read<T extends Content>(
  subject: string,
  item: Received,
  member: Member,
  schema: z.ZodType<T>,
  { anchors }: JudgeOptions,
): Promise<{ content: T } & Pick<Required<Judgement>, 'expires'>> {
  const chain = await readChain(subject, item.issuerChain);
  const pem = item.issuerChain.map((der) => encodePem(der, 'CERTIFICATE')).join('');
  const { signed, signature, content } = await readable(subject, () =>
    readSignedDocument(utf8Decode(item.body), member, schema, pem),
  );
  await verifyUpToPin(subject, chain, anchors.intel ?? []);
  const [signer] = chain;
  // One root gives out several roles: a PCK certificate signs nothing here.
  if (signer === undefined || chain.length !== 2 || signer.subject.commonName !== SIGNER) {
    throw new FastnessError('ENDORSEMENT_UNAUTHENTIC', `${subject}: not signed by ${SIGNER}.`);
  }
  await vouched(subject, async () => {
    const key = await importSpki(signer, { kind: 'ecdsa', hash: 'SHA-256' });
    const parameters = { name: 'ECDSA', hash: 'SHA-256' };
    if (!(await globalThis.crypto.subtle.verify(parameters, key, plainBytes(signature), plainBytes(signed)))) {
      throw new FastnessError('X509_SIGNATURE');
    }
  });
  return { content, expires: earliest(content.nextUpdate, ...chain.map(({ notAfter }) => notAfter)) };
}

function queryOf(update: IntelUpdate): Record<string, string> {
  return typeof update === 'number' ? { tcbEvaluationDataNumber: `${update}` } : { update };
}

function requireNumber(update: IntelUpdate, number: number): void {
  if (typeof update === 'number') requireSame('TCB evaluation data number', update, number);
}
