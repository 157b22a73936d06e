import { createHash } from 'node:crypto';
import type { Cmw, Tee } from '@fastness/attest';
import { encodeIntelTrustAuthorityEvidence } from '@fastness/attest/formats/intel-trust-authority';
import { decodeTdxEvidence } from '@fastness/attest/formats/tdx';
import { fromBase64, toBase64 } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { requireReportData, type Collector } from '../collector.ts';
import { readApiKey } from './api-key.ts';
import { askJson, type PostJsonOptions } from './post-json.ts';
import { requireService } from './service-address.ts';

/** The service for customers outside the European Union; inside it is `https://api.eu.trustauthority.intel.com`. */
export const INTEL_TRUST_AUTHORITY = 'https://api.trustauthority.intel.com';

export interface IntelTrustAuthorityOptions extends PostJsonOptions {
  /** Makes the quote: TDX or SGX. */
  readonly hardware: Collector;
  /** A file with the attestation API key, for its owner alone. It is read for every token. */
  readonly apiKeyFile: string;
  /** Default: {@link INTEL_TRUST_AUTHORITY}. */
  readonly service?: string;
  /**
   * As in the policy. `report-data` (default): the quote is over the report data itself. `held-data`: it is over a nonce of the
   * service and the report data, which the token repeats; TDX only.
   */
  readonly binding?: 'report-data' | 'held-data';
  /** Policies of the service that the quote must match for a token to be made, by their identifiers. Default: none. */
  readonly policyIds?: readonly string[];
}

const answered = z.object({ token: z.string().regex(/^[\w-]+\.[\w-]+\.[\w-]+$/) });
const base64 = z.string().max(1024).base64();
/** What the service signed for one attestation; passed back as it came. */
const nonceSchema = z.object({ val: base64, iat: base64, signature: base64 });
type VerifierNonce = z.infer<typeof nonceSchema>;

/** Members of a request that name one quote. */
interface QuoteMembers {
  readonly quote: string;
  readonly runtime_data?: string;
  readonly verifier_nonce?: VerifierNonce;
}

/** Where each TEE's quote goes, and how (Intel Trust Authority client for Go, go-connector; for Python, connector). */
const requests: Partial<Record<Tee, { readonly path: string; readonly wrap: (members: QuoteMembers) => object }>> =
  Object.freeze({
    tdx: { path: 'appraisal/v2/attest', wrap: (members: QuoteMembers) => ({ tdx: members }) },
    sgx: { path: 'appraisal/v1/attest', wrap: (members: QuoteMembers) => members },
  });

/**
 * Collects tokens of Intel Trust Authority: the service judges the quote of another collector and says so in a token. The token
 * is Intel's word, made of evidence that a verifier could judge for itself. Whoever holds the API key can use up its quota and
 * nothing more.
 * @throws EVIDENCE_NO_TEE for hardware that the service is not asked about, EVIDENCE_INSTANCE
 */
export function intelTrustAuthorityCollector(options: IntelTrustAuthorityOptions): Collector {
  const { hardware, apiKeyFile, service = INTEL_TRUST_AUTHORITY, binding = 'report-data', policyIds = [] } = options;
  const request = requests[hardware.tee];
  if (request === undefined || hardware.simulated)
    throw new FastnessError('EVIDENCE_NO_TEE', `${hardware.name}: the service attests TDX and SGX.`);
  if (binding === 'held-data' && hardware.tee !== 'tdx')
    throw new FastnessError('EVIDENCE_NO_TEE', `${hardware.name}: held data goes with TDX.`);
  const root = requireService(service);
  const ask = async (path: string, body?: object): Promise<unknown> => {
    const headers = { accept: 'application/json', 'x-api-key': await readApiKey(apiKeyFile) };
    const call =
      body === undefined
        ? ({ method: 'GET', headers } as const)
        : ({ method: 'POST', headers, body: JSON.stringify(body) } as const);
    return await askJson(new URL(path, root).href, call, options);
  };
  /** The quote alone: the service reads no event log. */
  const quoteOver = async (bound: Uint8Array): Promise<string> =>
    toBase64(decodeTdxEvidence((await hardware.collect(bound)).evidence).quote.value);
  const quoted = async (reportData: Uint8Array): Promise<QuoteMembers> => {
    if (binding === 'report-data') return { quote: await quoteOver(reportData) };
    const nonce = nonceSchema.safeParse(await ask('appraisal/v2/nonce'));
    if (!nonce.success) throw new FastnessError('EVIDENCE_RESPONSE', `${service} gave no nonce.`);
    const { val, iat } = nonce.data;
    const bound = createHash('sha512').update(fromBase64(val)).update(fromBase64(iat)).update(reportData).digest();
    const quote = await quoteOver(new Uint8Array(bound));
    return { quote, runtime_data: toBase64(reportData), verifier_nonce: nonce.data };
  };
  const matching = policyIds.length === 0 ? {} : { policy_ids: policyIds, policy_must_match: true };
  return Object.freeze<Collector>({
    name: `intel-trust-authority ${service}, ${hardware.name}`,
    tee: 'intel-trust-authority',
    simulated: false,
    detect: () => hardware.detect(),
    collect: async (reportData) => {
      requireReportData('intel-trust-authority', reportData);
      const body = { ...request.wrap(await quoted(reportData)), ...matching };
      const answer = answered.safeParse(await ask(request.path, body));
      if (!answer.success) throw new FastnessError('EVIDENCE_RESPONSE', `${service} gave no token.`);
      return { evidence: encodeIntelTrustAuthorityEvidence(answer.data.token) satisfies Cmw, endorsements: [] };
    },
    ...(hardware.extend === undefined ? {} : { extend: hardware.extend }),
  });
}
