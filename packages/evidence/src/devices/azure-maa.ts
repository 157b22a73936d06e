import type { Cmw, Tee } from '@fastness/attest';
import { encodeAzureMaaEvidence } from '@fastness/attest/formats/azure-maa';
import { decodeTdxEvidence } from '@fastness/attest/formats/tdx';
import { decodeSnpEvidence } from '@fastness/attest/formats/snp';
import { encodePem, toBase64Url, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { requireReportData, type Collector } from '../collector.ts';
import { postJson, type PostJsonOptions } from './post-json.ts';
import { requireService } from './service-address.ts';

export interface AzureMaaOptions extends PostJsonOptions {
  /** The instance, as `iss` of its tokens names it, for instance `https://sharedweu.weu.attest.azure.net`. */
  readonly instance: string;
  /** Makes the hardware's evidence: SEV-SNP with the certificates of its key, TDX or SGX. */
  readonly hardware: Collector;
  /** `api-version` of the requests. Default: 2025-06-01. */
  readonly apiVersion?: string;
}

/** What the service is asked with, by what the hardware is (REST API, "Attestation": Sev Snp Vm, Tdx Vm, Sgx Enclave). */
const requests: Partial<Record<Tee, { readonly path: string; readonly body: (evidence: Cmw) => object }>> =
  Object.freeze({
    'sev-snp': { path: 'attest/SevSnpVm', body: (evidence: Cmw) => ({ report: snpReport(evidence) }) },
    // The quote alone: the service reads no event log.
    tdx: {
      path: 'attest/TdxVm',
      body: (evidence: Cmw) => ({ quote: toBase64Url(decodeTdxEvidence(evidence).quote.value) }),
    },
    sgx: { path: 'attest/SgxEnclave', body: ({ value }: Cmw) => ({ quote: toBase64Url(value) }) },
  });

const answered = z.object({ token: z.string().regex(/^[\w-]+\.[\w-]+\.[\w-]+$/) });

/**
 * Collects tokens of Microsoft Azure Attestation: the report data goes into the hardware's report, which the service checks
 * and repeats in its token, so a policy says `binding: report-data`. No runtime data is sent along: the service would compare
 * the report data with its hash. The token is Microsoft's word, made of evidence that a verifier could judge for itself.
 *
 * Not for confidential virtual machines of Azure itself: the hardware's report is their paravisor's, and carries no report
 * data of the guest. `openAzureVtpm` is for those.
 * @throws EVIDENCE_NO_TEE for hardware that the service does not know, EVIDENCE_INSTANCE
 */
export function azureMaaCollector(options: AzureMaaOptions): Collector {
  const { instance, hardware, apiVersion = '2025-06-01' } = options;
  const request = requests[hardware.tee];
  if (request === undefined || hardware.simulated)
    throw new FastnessError('EVIDENCE_NO_TEE', `${hardware.name}: the service attests SEV-SNP, TDX and SGX.`);
  const url = new URL(`${request.path}?api-version=${encodeURIComponent(apiVersion)}`, requireService(instance)).href;
  return Object.freeze<Collector>({
    name: `azure-maa ${instance}, ${hardware.name}`,
    tee: 'azure-maa',
    simulated: false,
    detect: () => hardware.detect(),
    collect: async (reportData) => {
      requireReportData('azure-maa', reportData);
      const { evidence } = await hardware.collect(reportData);
      const answer = answered.safeParse(await postJson(url, request.body(evidence), options));
      if (!answer.success) throw new FastnessError('EVIDENCE_RESPONSE', `${instance} gave no token.`);
      return { evidence: encodeAzureMaaEvidence(answer.data.token), endorsements: [] };
    },
    ...(hardware.extend === undefined ? {} : { extend: hardware.extend }),
  });
}

/** The report and the chain of its key, as the service wants them: JSON within JSON, base64url. */
function snpReport(evidence: Cmw): string {
  const { report, certificates } = decodeSnpEvidence(evidence);
  if (certificates.length === 0)
    throw new FastnessError('EVIDENCE_RESPONSE', 'The report came without the certificates of its key.');
  const chain = certificates.map((der) => encodePem(der, 'CERTIFICATE')).join('');
  const wrapped = { SnpReport: toBase64Url(report), VcekCertChain: toBase64Url(utf8Encode(chain)) };
  return toBase64Url(utf8Encode(JSON.stringify(wrapped)));
}
